"""Damaged calls never raise, never lose a character, and give values that JSON can hold."""

import json
import random

import pytest
from codec_cases import TOOLS, cases

from gemma4.text.codec.call_cursor import CHANNEL_CLOSE, CHANNEL_OPEN, QUOTE, Ending, spelled
from gemma4.text.codec.call_reader import ReadCall, read_calls, resolve_name
from gemma4.text.messages import Tool

SIGNS = [*"{}[]()<>:=,'\"`\\ \n0a", QUOTE, CHANNEL_OPEN, CHANNEL_CLOSE]
WORDS = ["call:", "BEGIN_ARG", "END_ARG", "null", '<|"|>', "\\u"]
ENDINGS: tuple[Ending, ...] = ("closed", "ended", "cut")


@pytest.mark.parametrize("seed", range(8))
def test_damaged_calls_are_read_or_kept(seed: int) -> None:
    source = random.Random(seed)
    bodies = _bodies()
    for _ in range(500):
        body = source.choice(bodies)
        for _ in range(source.randrange(1, 5)):
            body = _damaged(body, source)[:1000]
        found = read_calls(body, TOOLS, source.choice(ENDINGS))
        assert "".join(item.raw for item in found) == spelled(body)
        for item in found:
            if isinstance(item, ReadCall):
                json.dumps(item.arguments, allow_nan=False, ensure_ascii=False).encode()


def test_a_schema_that_makes_no_sense_does_no_harm() -> None:
    for parameters in (
        {"properties": 1},
        {"properties": {"a": 1}},
        {"required": 3},
        {"type": [1, {}]},
    ):
        tool = Tool(name="f", description="", parameters=parameters)
        (call,) = read_calls(f"call:f{{a:{QUOTE}x{QUOTE},b:[1]}}", [tool], "closed")
        assert isinstance(call, ReadCall)
        assert call.arguments == {"a": "x", "b": [1]}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("read", "read"),
        ("google:mcp:x:read", "read"),
        ("mcp.read", "read"),
        ("mcp__read", "read"),
        ("mcp/read", "read"),
        ("search", "a:search"),
        ("x:a:search", "a:search"),
        ("list", None),
        ("b:list", "b:list"),
        ("c:list", None),
        ("bread", None),
        ("Read", None),
        ("read:", None),
        ("", None),
    ],
)
def test_names_are_resolved_exactly_or_by_a_unique_ending(written: str, meant: str | None) -> None:
    tools = [Tool(name=name, description="") for name in ("read", "a:search", "a:list", "b:list")]
    found = resolve_name(written, tools)
    assert (found.name if found else None) == meant


def _bodies() -> list[str]:
    texts = [
        case["text"]
        for group in ("documented", "repaired", "broken")
        for case in cases(group)
        if "text" in case
    ]
    return [
        text.split("<|tool_call>")[1].split("<tool_call|>")[0].replace('<|"|>', QUOTE)
        for text in texts
    ]


def _damaged(body: str, source: random.Random) -> str:
    at, to = sorted((source.randrange(len(body) + 1), source.randrange(len(body) + 1)))
    match source.randrange(3):
        case 0:
            return body[:at] + source.choice(SIGNS + WORDS) + body[at:]
        case 1:
            return body[:at] + body[at + 1 :]
        case _:
            return body[:to] + body[at:]
