"""What answers are held to: neutral values pass, the rest is refused by name until it is enforced."""

from typing import Any

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.rules import held_to
from gemma4.text.messages import Tool

TOOLS = (Tool(name="a", description=""), Tool(name="b", description=""))


def names(**rules: Any) -> list[str]:
    neutral = {"tool_choice": None, "parallel_tool_calls": None, "response_format": None}
    return [tool.name for tool in held_to(TOOLS, **{**neutral, **rules})]


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *tools: str) -> dict[str, Any]:
    inner = {"mode": mode, "tools": [function(name) for name in tools]}
    return {"type": "allowed_tools", "allowed_tools": inner}


def test_neutral_values_change_nothing() -> None:
    assert names() == names(tool_choice="auto") == names(parallel_tool_calls=True) == ["a", "b"]
    assert names(response_format={"type": "text"}) == ["a", "b"]


def test_none_offers_no_tool() -> None:
    assert names(tool_choice="none") == []
    assert names(tool_choice="none", parallel_tool_calls=False) == []


def test_allowed_tools_are_the_only_ones() -> None:
    assert names(tool_choice=allowed("auto", "b")) == ["b"]
    flat = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "a"}]}
    assert names(tool_choice=flat) == ["a"]


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": function("a")}, "tool_choice"),
        ({"tool_choice": {"name": "a"}}, "tool_choice"),
        ({"tool_choice": allowed("required", "a")}, "tool_choice"),
        ({"tool_choice": allowed("auto", "c")}, "tool_choice"),
        ({"tool_choice": "sometimes"}, "tool_choice"),
        ({"tool_choice": {"type": "mcp"}}, "tool_choice"),
        ({"parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, "response_format"),
    ],
)
def test_all_else_is_refused_by_name(rules: dict[str, Any], param: str) -> None:
    with pytest.raises(RequestError) as caught:
        names(**rules)
    assert caught.value.param == param
