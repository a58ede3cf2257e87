"""Thinking in the words of every client."""

from typing import Any

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.reasoning import ReasoningFields
from gemma4.serve.thinking import Thinking

ON, OFF = Thinking(enabled=True), Thinking()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, OFF),
        ({"reasoning_effort": "none"}, OFF),
        ({"reasoning_effort": "low"}, Thinking(enabled=True, budget=1024)),
        ({"reasoning_effort": "max"}, ON),
        ({"reasoning": {"effort": "low"}}, Thinking(enabled=True, budget=1024)),
        ({"reasoning": {"effort": "none"}}, OFF),
        ({"reasoning": {"enabled": False}}, OFF),
        ({"reasoning": {"enabled": True}}, ON),
        ({"thinking": {"type": "disabled"}}, OFF),
        ({"thinking": {"type": "adaptive"}}, ON),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Thinking(enabled=True, budget=9)),
        ({"thinking": True}, ON),
        ({"think": False}, OFF),
        ({"think": True}, ON),
        ({"think": "low"}, Thinking(enabled=True, budget=1024)),
        ({"enable_thinking": True}, ON),
        ({"enable_thinking": False}, OFF),
        ({"chat_template_kwargs": {"enable_thinking": True}}, ON),
        ({"chat_template_kwargs": {"enable_thinking": False}}, OFF),
        ({"chat_template_kwargs": {"other": 1}}, OFF),
        ({"reasoning_effort": "none", "think": True}, OFF),
    ],
)
def test_every_way_to_say_it(fields: dict[str, Any], expected: Thinking) -> None:
    assert ReasoningFields(**fields).wanted_thinking() == expected


@pytest.mark.parametrize(
    "fields", [{"reasoning_effort": "x"}, {"reasoning": {"effort": "x"}}, {"think": "x"}]
)
def test_an_unknown_effort_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="off, none, minimal, low"):
        ReasoningFields(**fields).wanted_thinking()
