"""Thoughts before an answer: who may open one, when it must close, and that the grammar waits for its end."""

import numpy as np
import pytest
import torch
from agent_schemas import BASH
from held_answers import (
    CALL,
    CHANNEL,
    CHANNEL_END,
    TURN_END,
    VOCAB,
    accepts,
    allowed,
    grammars,
    refused_at,
    tokenizer,
)

from gemma4.errors import GrammarError
from gemma4.grammar import AnswerConstraint, AnswerRule, JsonSchema, ThoughtRule, ToolRule
from gemma4.text.messages import Tool

JSON = '{"command":"ls"}'
THOUGHT = "<|channel>thought\nHmm, {what}?\n<channel|>"


def held(**thought: object) -> AnswerConstraint:
    rule = AnswerRule(format=JsonSchema(BASH), thought=ThoughtRule(**thought))
    return grammars().constraint(rule)


def feed(constraint: AnswerConstraint, text: str) -> None:
    for id in tokenizer().encode(text, allow_special=True):
        assert allowed(constraint)[id]
        constraint.accept(id)


def test_the_grammar_begins_behind_a_thought_of_the_model() -> None:
    assert accepts(held(allowed=True), THOUGHT + JSON)
    assert accepts(held(allowed=True), JSON)


def test_the_grammar_begins_behind_a_thought_that_the_prompt_opened() -> None:
    assert accepts(held(opens_thought=True, allowed=True), f"I see.\n<channel|>{JSON}")
    assert not accepts(held(opens_thought=True, allowed=True), JSON)


def test_without_thinking_no_channel_opens() -> None:
    tools = ToolRule(tools=[Tool(name="f", description="")])
    for rule in (AnswerRule(format=JsonSchema(BASH)), AnswerRule(tools=tools)):
        assert not allowed(grammars().constraint(rule))[CHANNEL]


def test_one_thought_is_enough() -> None:
    for constraint, text in (
        (held(allowed=True), THOUGHT),
        (held(opens_thought=True, allowed=True), "Well.<channel|>"),
    ):
        feed(constraint, text)
        assert not allowed(constraint)[CHANNEL]


def test_a_thought_must_end_by_itself_before_what_is_asked() -> None:
    constraint = held(opens_thought=True)
    flags = allowed(constraint)
    assert not flags[[TURN_END, CALL, CHANNEL]].any()
    assert flags[CHANNEL_END]
    assert refused_at(constraint, "Done.") == "<turn|>"


@pytest.mark.parametrize("opens", [False, True])
def test_the_budget_closes_the_channel_and_the_answer_says_so(opens: bool) -> None:
    constraint = held(opens_thought=opens, allowed=True, budget=5)
    if not opens:
        feed(constraint, "<|channel>")
    for _ in range(4 + opens):
        assert allowed(constraint).sum() > 200_000
        assert not constraint.closed_thought
        constraint.accept(tokenizer().encode(" so")[0])
    assert np.flatnonzero(allowed(constraint)).tolist() == [CHANNEL_END]
    constraint.accept(CHANNEL_END)
    assert constraint.closed_thought
    assert accepts(constraint, JSON)


def test_a_thought_that_ends_in_time_is_not_called_closed() -> None:
    constraint = held(allowed=True, budget=50)
    assert accepts(constraint, THOUGHT + JSON)
    assert not constraint.closed_thought


def test_a_budget_alone_holds_nothing_else() -> None:
    rule = AnswerRule(thought=ThoughtRule(allowed=True, budget=3))
    constraint = grammars().constraint(rule)
    assert allowed(constraint).all()
    feed(constraint, "<|channel>thought\n")
    assert np.flatnonzero(allowed(constraint)).tolist() == [CHANNEL_END]
    constraint.accept(CHANNEL_END)
    assert not allowed(constraint)[CHANNEL]
    assert allowed(constraint).sum() == VOCAB - 1
    assert accepts(constraint, "Any text <|tool_call>at all")


def test_a_budget_of_nothing_opens_no_channel() -> None:
    assert not allowed(held(allowed=True, budget=0))[CHANNEL]
    constraint = held(opens_thought=True, budget=0)
    assert np.flatnonzero(allowed(constraint)).tolist() == [CHANNEL_END]


def test_a_budget_below_nothing_is_refused() -> None:
    with pytest.raises(GrammarError, match="-1 tokens"):
        ThoughtRule(budget=-1)


def test_calls_wait_for_the_thought_too() -> None:
    tools = ToolRule(tools=[Tool(name="f", description="")], mode="required")
    rule = AnswerRule(tools=tools, thought=ThoughtRule(allowed=True))
    call = "<|tool_call>call:f{}<tool_call|>"
    assert accepts(grammars().constraint(rule), THOUGHT + call)
    assert not accepts(grammars().constraint(rule), f"<|channel>thought\n{call}")


def test_nothing_is_copied_where_nothing_is_forbidden() -> None:
    scores = torch.randn(VOCAB)
    rule = AnswerRule(thought=ThoughtRule(opens_thought=True, allowed=True, budget=9))
    assert grammars().constraint(rule).restrict(scores) is scores
