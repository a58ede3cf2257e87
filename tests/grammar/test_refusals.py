"""What a grammar cannot do is refused by name, and what is too large for it soon."""

import time
from typing import Any

import pytest
import torch
from held_answers import VOCAB, accepts, grammars

from gemma4.errors import GrammarError, SamplingError
from gemma4.grammar import AnswerRule, Choices, Format, JsonSchema, Lark, Regex, ToolRule
from gemma4.text.messages import Tool


def compile_format(format: Format) -> None:
    grammars().constraint(AnswerRule(format=format))


@pytest.mark.parametrize(
    ("schema", "pointer", "keyword"),
    [
        ({"properties": {"a": {"not": {"type": "null"}}}}, "/properties/a", "not"),
        ({"items": {"if": {}, "then": {}}}, "/items", "if"),
        ({"type": "array", "uniqueItems": True}, "", "uniqueItems"),
        ({"anyOf": [{"type": "string", "format": "phone"}]}, "/anyOf/0", "format"),
        ({"$ref": "https://example.com/x"}, "", "$ref"),
        ({"$ref": "#/nowhere"}, "", "$ref"),
        ({"type": "object", "requried": ["a"]}, "", "requried"),
        ({"oneOf": [{"type": "string"}, {"maxLength": 3}]}, "", "oneOf"),
        ({"type": "string", "pattern": "(?<=a)b"}, "", "pattern"),
        ({"type": "string", "pattern": "a(b|^c)"}, "", "pattern"),
        ({"properties": {"a~/b": {"contains": {}}}}, "/properties/a~0~1b", "contains"),
        ({"$defs": {"x": {"dependentRequired": {}}}, "$ref": "#/$defs/x"}, "/$defs/x", "dependentRequired"),
    ],
)  # fmt: skip
def test_a_keyword_that_is_not_enforced_is_named(
    schema: dict[str, Any], pointer: str, keyword: str
) -> None:
    with pytest.raises(GrammarError, match="cannot be enforced") as info:
        compile_format(JsonSchema(schema))
    assert (info.value.pointer, info.value.keyword) == (pointer, keyword)
    loose = grammars().constraint(AnswerRule(format=JsonSchema(schema, strict=False)))
    assert (pointer, keyword) in {(one.pointer, one.keyword) for one in loose.warnings}
    assert all(str(one).startswith(one.pointer) for one in loose.warnings)


@pytest.mark.parametrize(
    ("schema", "keyword"),
    [
        ({"type": "strnig"}, "type"),
        ({"minLength": -1}, "minLength"),
        ({"properties": ["a"]}, "properties"),
        ({"properties": {"a": 5}}, "properties"),
        ({"required": "a"}, "required"),
        ({"anyOf": []}, "anyOf"),
        ({"multipleOf": 0}, "multipleOf"),
    ],
)
def test_what_is_no_schema_is_refused(schema: dict[str, Any], keyword: str) -> None:
    with pytest.raises(GrammarError, match="malformed") as info:
        compile_format(JsonSchema(schema))
    assert info.value.keyword == keyword
    loose = grammars().constraint(AnswerRule(format=JsonSchema(schema, strict=False)))
    assert [one.keyword for one in loose.warnings] == [keyword]


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "integer", "minimum": 3, "exclusiveMaximum": 4, "multipleOf": 2},
        {"type": "object", "required": ["a"], "properties": {"a": False}},
        {"allOf": [{"type": "string"}, {"type": "null"}]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"type": "string", "allOf": [{"pattern": "^a+$"}, {"pattern": "^b+$"}]},
    ],
)
def test_a_contradiction_is_refused(schema: Any) -> None:
    with pytest.raises(GrammarError, match="contradicts itself"):
        compile_format(JsonSchema(schema))


def deep(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def doubling(levels: int) -> dict[str, Any]:
    """References whose expansion has 2^levels parts."""
    defs = {
        f"d{i}": {"properties": {side: {"$ref": f"#/$defs/d{i + 1}"} for side in "ab"}}
        for i in range(levels)
    }
    return {"$defs": {**defs, f"d{levels}": {"type": "null"}}, "$ref": "#/$defs/d0"}


def choices(count: int) -> dict[str, Any]:
    """A conjunction of alternatives, 2^count combinations."""
    one = {"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}
    return {"type": "object", "allOf": [one] * count}


@pytest.mark.parametrize(
    "schema",
    [
        deep(5000),
        {"enum": [f"word {i}" for i in range(60_000)]},
        {"type": "string", "description": "x" * 1_100_000},
        {"properties": {f"p{i}": {"type": "string", "maxLength": i} for i in range(30_000)}},
        choices(20),
        {"type": "string", "pattern": "^(((a|b|c)*(d|e)*){50}){50}(x{1,300}y{1,300}){300}$"},
    ],
    ids=["depth", "enum", "text", "properties", "alternatives", "pattern"],
)
def test_a_bomb_is_refused_soon(schema: dict[str, Any]) -> None:
    started = time.thread_time()
    with pytest.raises(GrammarError):
        compile_format(JsonSchema(schema))
    assert time.thread_time() - started < 5


def test_references_that_double_are_shared() -> None:
    """2^40 parts when written out; as rules they are forty."""
    started = time.thread_time()
    constraint = grammars().constraint(AnswerRule(format=JsonSchema(doubling(40))))
    assert accepts(constraint, '{"a":{"b":{}}}')
    assert time.thread_time() - started < 5


def test_formats_other_than_json() -> None:
    def takes(format: Format, text: str) -> bool:
        return accepts(grammars().constraint(AnswerRule(format=format)), text)

    assert takes(Regex(r"[a-c]+/\d{2}"), "abc/42")
    assert not takes(Regex(r"[a-c]+/\d{2}"), "abd/42")
    assert takes(Choices(("yes", "no", "not now")), "not now")
    assert not takes(Choices(("yes", "no")), "nope")
    assert takes(Lark('start: sum\nsum: N ("+" N)*\nN: /[0-9]+/'), "1+22+3")
    assert not takes(Lark('start: sum\nsum: N ("+" N)*\nN: /[0-9]+/'), "1+")


def test_a_grammar_of_the_users_own_may_come_beside_tools() -> None:
    rule = AnswerRule(
        format=Lark('start: "a"+'), tools=ToolRule(tools=[Tool(name="f", description="")])
    )
    assert accepts(grammars().constraint(rule), "aaa")
    assert accepts(grammars().constraint(rule), "<|tool_call>call:f{}<tool_call|>")


@pytest.mark.parametrize(
    "format", [Regex("(a"), Lark("start: b"), Choices(()), Regex("a(?=b)"), Lark("")]
)
def test_a_broken_format_is_refused(format: Format) -> None:
    with pytest.raises(GrammarError):
        compile_format(format)


def test_settings_that_rule_out_all_the_grammar_allows_are_told() -> None:
    constraint = grammars().constraint(AnswerRule(format=Choices(("yes",))))
    with pytest.raises(SamplingError, match="suppress_ids or logit_bias"):
        constraint.restrict(torch.full((VOCAB,), -torch.inf))


def test_a_token_that_was_not_allowed_is_an_error_of_that_answer_alone() -> None:
    rule = AnswerRule(format=Choices(("yes", "no")))
    first, second = grammars().constraint(rule), grammars().constraint(rule)
    with pytest.raises(GrammarError, match="cannot be followed"):
        first.accept(100_000)
    assert accepts(second, "yes")


def test_what_was_compiled_is_used_again() -> None:
    schema = {"type": "object", "properties": {f"p{i}": {"maxLength": i} for i in range(50)}}
    compile_format(JsonSchema(schema))
    held = len(grammars()._compiled)
    compile_format(JsonSchema(dict(schema)))
    assert len(grammars()._compiled) == held <= 64
