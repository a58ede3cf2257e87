"""Answers that dice write under a grammar: whatever comes is valid, says a library of its own."""

import json

import pytest
from agent_schemas import AGENT_SCHEMAS, agent_tools
from held_answers import grammars, tokenizer, walk
from read_answers import content, events, valid_calls, validate

from gemma4.grammar import AnswerRule, JsonObject, JsonSchema, ToolRule

TOOLS = agent_tools()


@pytest.mark.parametrize("name", AGENT_SCHEMAS)
def test_json_is_valid(name: str) -> None:
    schema = AGENT_SCHEMAS[name]
    for seed in range(12):
        constraint = grammars().constraint(AnswerRule(format=JsonSchema(schema)))
        text = tokenizer().decode(walk(constraint, seed))
        validate(json.loads(text), schema)
        assert not constraint.warnings


def test_any_object_is_json() -> None:
    for seed in range(12):
        text = tokenizer().decode(
            walk(grammars().constraint(AnswerRule(format=JsonObject())), seed)
        )
        assert isinstance(json.loads(text), dict)


@pytest.mark.parametrize("name", AGENT_SCHEMAS)
def test_a_required_call_is_as_documented_and_valid(name: str) -> None:
    rule = AnswerRule(tools=ToolRule(tools=TOOLS, mode="required", names=(name,), parallel=False))
    for seed in range(12):
        found = events(walk(grammars().constraint(rule), seed), TOOLS)
        assert valid_calls(found, TOOLS) == [name]
        assert len(found) == 1


def test_several_calls_are_all_valid() -> None:
    rule = AnswerRule(tools=ToolRule(tools=TOOLS, mode="required"))
    named = []
    for seed in range(20):
        names = valid_calls(events(walk(grammars().constraint(rule), seed), TOOLS), TOOLS)
        assert names
        named.append(names)
    assert any(len(names) > 1 for names in named)
    assert len({name for names in named for name in names}) > 4


def test_with_a_format_and_tools_either_comes() -> None:
    rule = AnswerRule(format=JsonSchema(AGENT_SCHEMAS["bash"]), tools=ToolRule(tools=TOOLS))
    calls = texts = 0
    for seed in range(16):
        found = events(walk(grammars().constraint(rule), seed), TOOLS)
        if names := valid_calls(found, TOOLS):
            calls += len(names)
        else:
            validate(json.loads(content(found)), AGENT_SCHEMAS["bash"])
            texts += 1
    assert calls
    assert texts
