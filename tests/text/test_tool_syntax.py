"""Calls are written as the templates of July 2026 write them, and read back unchanged."""

import re
from typing import Any

import pytest
from codec_cases import events_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemma4.errors import MessageError
from gemma4.text.codec.events import CallComplete
from gemma4.text.codec.tool_syntax import (
    MAX_DEPTH,
    dictsort,
    format_argument,
    format_call,
    format_response,
    is_bare_key,
)
from gemma4.text.tokens.tokenizer import Tokenizer

MARKERS = ("<|tool_call>", "<tool_call|>", '<|"|>')
TEXTS = st.text(max_size=12).filter(lambda text: "<|" not in text and "|>" not in text)
# The vocabulary writes a space as ▁ and cannot tell the two apart; that is not the codec's doing.
PLAIN = TEXTS.filter(lambda text: "\u2581" not in text)
NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | PLAIN
KEYS = PLAIN.filter(is_bare_key) | st.sampled_from(["a", "B", "a b", "$ref", "x-y", "a.b/c"])


def _objects(keys: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, Any]]:
    values = st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=8,
    )
    return st.dictionaries(keys, values, max_size=4)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-0.5, "-0.5"),
        (1e20, "1e+20"),
        (1e-7, "1e-07"),
        (12345678901234567890, "12345678901234567890"),
        ("", '<|"|><|"|>'),
        ("a\n{b}", '<|"|>a\n{b}<|"|>'),
        ([], "[]"),
        ([1, "x", None], '[1,<|"|>x<|"|>,null]'),
        ((1, 2), "[1,2]"),
        ({}, "{}"),
        ({"b": 1, "A": 2, "a": 3}, '{<|"|>A<|"|>:2,<|"|>a<|"|>:3,<|"|>b<|"|>:1}'),
    ],
)
def test_values_are_written_as_the_templates_do(value: Any, written: str) -> None:
    assert format_argument(value) == written


def test_keys_are_bare_in_calls_and_responses() -> None:
    assert format_argument({"b": {"c d": 1}}, quote_keys=False) == "{b:{c d:1}}"
    call = format_call("f", {"b": [True], "a": "x"})
    assert call == '<|tool_call>call:f{a:<|"|>x<|"|>,b:[true]}<tool_call|>'
    response = format_response("f", {"ok": True, "n": {"k": 1.5}})
    assert response == "<|tool_response>response:f{n:{k:1.5},ok:true}<tool_response|>"


def test_a_response_that_is_no_map_is_wrapped() -> None:
    text = format_response("f", "sunny")
    assert text == '<|tool_response>response:f{value:<|"|>sunny<|"|>}<tool_response|>'
    assert format_response("f", [1]) == "<|tool_response>response:f{value:[1]}<tool_response|>"
    assert format_response("f", None) == "<|tool_response>response:f{value:null}<tool_response|>"


def test_keys_are_sorted_without_regard_to_case_and_ties_keep_their_order() -> None:
    assert [key for key, _ in dictsort({"b": 0, "C": 0, "a": 0, "B": 0})] == ["a", "b", "B", "C"]


def test_what_json_cannot_hold_is_refused() -> None:
    message = (
        "a tool value of type set cannot be written; use str, int, float, bool, None, list or dict"
    )
    with pytest.raises(MessageError, match=re.escape(message)):
        format_call("f", {"a": {1, 2}})
    with pytest.raises(MessageError, match=r"cannot be written: .*4300 digits.*; send it as text"):
        format_argument(10**5000)


def test_values_too_deep_are_refused_and_the_deepest_allowed_are_read() -> None:
    value: Any = 1
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert format_call("f", {"a": value}).count("[") == MAX_DEPTH - 1
    for _ in range(2):
        value = [value]
    with pytest.raises(MessageError, match=f"more than {MAX_DEPTH} deep; flatten it"):
        format_call("f", {"a": value})


@pytest.mark.parametrize("key", ["a", "a b", "$ref", "x-y", "@id", "straße", "a.b/c", "1"])
def test_usual_keys_can_be_written_bare(key: str) -> None:
    assert is_bare_key(key)


@pytest.mark.parametrize("key", ["", " a", "a:b", "a,b", "a=b", "{", 'a"b', "<|x|>", "a]"])
def test_keys_with_structure_cannot(key: str) -> None:
    assert not is_bare_key(key)


def _read(tokenizer: Tokenizer, text: str) -> CallComplete:
    """Only the markers of the call itself are special tokens: `<eos>` in a text is text."""
    ids: list[int] = []
    for part in re.split(f"({'|'.join(map(re.escape, MARKERS))})", text):
        ids += [tokenizer.special_ids[part]] if part in MARKERS else tokenizer.encode(part)
    (event,) = events_of(tokenizer, ids)
    assert isinstance(event, CallComplete)
    return event


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=_objects(KEYS))
def test_any_call_is_read_back_unchanged(tokenizer: Tokenizer, arguments: dict[str, Any]) -> None:
    event = _read(tokenizer, format_call("any", arguments))
    assert event.call.arguments == arguments
    assert _kinds(event.call.arguments) == _kinds(arguments)
    assert event.call.repaired == ()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=_objects(PLAIN))
def test_with_quoted_keys_any_key_is_read_back(
    tokenizer: Tokenizer, arguments: dict[str, Any]
) -> None:
    text = f"<|tool_call>call:any{format_argument(arguments)}<tool_call|>"
    event = _read(tokenizer, text)
    assert event.call.arguments == arguments
    assert event.call.repaired == ()


def test_the_deepest_call_is_read_back(tokenizer: Tokenizer) -> None:
    value: Any = 1
    for level in range(MAX_DEPTH - 1):
        value = [value] if level % 2 else {"k": value}
    event = _read(tokenizer, format_call("any", {"a": value}))
    assert event.call.arguments == {"a": value}


def test_a_delimiter_typed_by_a_user_survives_when_it_is_encoded_as_text(
    tokenizer: Tokenizer,
) -> None:
    quote = tokenizer.special_ids['<|"|>']
    text = "print '<|\"|>', b:"
    before, after = format_call("any", {"a": "X"}).split('<|"|>X<|"|>')
    ids = [
        *tokenizer.encode(before, allow_special=True),
        *[quote, *tokenizer.encode(text), quote],
        *tokenizer.encode(after, allow_special=True),
    ]
    (event,) = events_of(tokenizer, ids)
    assert isinstance(event, CallComplete)
    assert (event.call.arguments, event.call.repaired) == ({"a": text}, ())


def _kinds(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _kinds(item) for key, item in value.items()}
    return [_kinds(item) for item in value] if isinstance(value, list) else type(value)
