"""Texts and lists that repeat themselves without end: seen soon, closed or ended, and told."""

import json

import pytest
import torch
from held_answers import TURN_END, VOCAB, allowed, grammars, tokenizer

from gemma4.grammar import AnswerConstraint, AnswerRule, JsonObject, JsonSchema, ToolRule
from gemma4.text.messages import Tool

TEXTS = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
         "required": ["a", "b"], "additionalProperties": False}  # fmt: skip
NUMBERS = {"type": "array", "items": {"type": "integer"}}


def stuck(constraint: AnswerConstraint, wanted: str, most: int = 3000) -> list[int]:
    """What a model writes that wants one text over and over, and takes any other token if it must."""
    loop = tokenizer().encode(wanted)
    ids: list[int] = []
    while len(ids) < most and constraint.period is None:
        scores = torch.zeros(VOCAB)
        scores[loop[len(ids) % len(loop)]] = 9.0
        scores[TURN_END] = 5.0
        token = int(constraint.restrict(scores).numpy().argmax())
        if token == TURN_END:
            break
        constraint.accept(token)
        ids.append(token)
    return ids


def begun(constraint: AnswerConstraint, text: str) -> AnswerConstraint:
    for id in tokenizer().encode(text, allow_special=True):
        assert allowed(constraint)[id]
        constraint.accept(id)
    return constraint


@pytest.mark.parametrize("word", [" own", " la la", "\\n", " "])
def test_a_text_in_a_loop_is_closed_and_the_rest_is_written(word: str) -> None:
    constraint = begun(grammars().constraint(AnswerRule(format=JsonSchema(TEXTS))), '{"a":"')
    ids = stuck(constraint, word)
    answer = json.loads('{"a":"' + tokenizer().decode(ids))
    assert answer.keys() == {"a", "b"}
    assert constraint.ended_loops == 2
    assert len(ids) < 600


def test_without_the_guard_nothing_is_closed() -> None:
    rule = AnswerRule(format=JsonSchema(TEXTS), loop_guard=False)
    constraint = begun(grammars().constraint(rule), '{"a":"')
    assert len(stuck(constraint, " own", most=700)) == 700
    assert constraint.ended_loops == 0


def test_a_list_in_a_loop_is_closed_before_the_engine_would_end_it() -> None:
    constraint = begun(grammars().constraint(AnswerRule(format=JsonSchema(NUMBERS))), "[")
    ids = stuck(constraint, "0,")
    assert 800 < len(ids) < 1024
    assert set(json.loads("[" + tokenizer().decode(ids))) == {0}
    assert constraint.ended_loops == 1


def test_digits_without_end_are_ended() -> None:
    schema = {"type": "array", "items": {"type": "number", "minimum": 0}}
    constraint = begun(grammars().constraint(AnswerRule(format=JsonSchema(schema))), "[0.")
    ids = stuck(constraint, "3", most=400)
    assert len(ids) < 80
    assert constraint.ended_loops == 1
    json.loads("[0." + tokenizer().decode(ids))


def test_brackets_within_brackets_come_to_an_end() -> None:
    constraint = begun(grammars().constraint(AnswerRule(format=JsonObject())), '{"a":')
    ids = stuck(constraint, "[", most=500)
    opened = tokenizer().decode(ids).partition('"')[0]  # then the brackets are text
    assert 40 < opened.count("[") <= 64


def test_a_hundred_equal_items_are_no_loop() -> None:
    schema = {"type": "array", "items": {"type": "string"}}
    constraint = grammars().constraint(AnswerRule(format=JsonSchema(schema)))
    begun(constraint, json.dumps(["same"] * 100, separators=(",", ":")))
    assert constraint.ended_loops == 0


def test_a_call_in_a_loop_ends_the_answer_lest_half_of_it_be_run() -> None:
    tools = ToolRule(tools=[Tool(name="f", description="", parameters=TEXTS)], mode="required")
    constraint = begun(grammars().constraint(AnswerRule(tools=tools)), '<|tool_call>call:f{a:<|"|>')
    ids = stuck(constraint, " own")
    assert constraint.period == 1
    assert len(ids) == 256
