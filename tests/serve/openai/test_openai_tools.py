"""Tools as agents offer them."""

from typing import Any

import pytest

from gemma4.errors import MessageError
from gemma4.serve.errors import RequestError
from gemma4.serve.openai.tools import read_tools

SCHEMA = {"type": "object", "properties": {"x": {"type": "string"}}}


def function(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": SCHEMA, **more}}


def test_functions_are_read_whatever_stands_beside() -> None:
    offered = [
        function("a", strict=True, defer_loading=True),
        {**function("b"), "cache_control": {}, "extra": 1},
        {"name": "c", "description": "bare", "parameters": SCHEMA},
        function("d", parameters=None, description=None),
    ]
    tools, remarks = read_tools(offered)
    assert [tool.name for tool in tools] == ["a", "b", "c", "d"]
    assert tools[0].parameters == SCHEMA
    assert (tools[2].description, tools[3].description) == ("bare", "")
    assert remarks == ()


def test_other_kinds_are_left_out_and_said() -> None:
    kinds = ["web_search", "custom", "namespace"]
    tools, remarks = read_tools([*({"type": kind, "name": "x"} for kind in kinds), function()])
    assert [tool.name for tool in tools] == ["f"]
    assert [kind in remark for kind, remark in zip(kinds, remarks, strict=True)] == [True] * 3


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(RequestError, match=r"tools\[1\]: 'f' was offered before"):
        read_tools([function(), function()])


@pytest.mark.parametrize(
    "tool", [{"type": "function", "function": "f"}, function(""), function(parameters=[])]
)
def test_what_no_model_could_call_is_refused(tool: dict[str, Any]) -> None:
    with pytest.raises((RequestError, MessageError)):
        read_tools([tool])
