"""Tools as OpenAI's clients offer them: functions are taken, other kinds left out and said."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...text.messages import Tool
from ...text.tools.define import tool_from_schema
from ..errors import RequestError

_SAID_TO_THE_MODEL = ("name", "description", "parameters", "response")


def read_tools(offered: Sequence[Mapping[str, Any]]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The functions among them, and remarks on what was left out.

    Raises:
        RequestError, MessageError: a function that no model could call, or two of one name.
    """
    tools: list[Tool] = []
    remarks = []
    for index, tool in enumerate(offered):
        kind = tool.get("type", "function")
        if kind != "function":
            remarks.append(f"a tool of type {kind!r} was left out: this server runs functions only")
            continue
        read = tool_from_schema(_function(tool, f"tools[{index}]"))
        if any(read.name == other.name for other in tools):
            raise RequestError(
                f"tools[{index}]: {read.name!r} was offered before; rename one", param="tools"
            )
        tools.append(read)
    return tuple(tools), tuple(remarks)


def _function(tool: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What the model is told; the rest is between client and server."""
    function = tool.get("function", tool)  # some send it bare, as `functions` were
    if not isinstance(function, Mapping):
        raise RequestError(f"{where}.function must be an object", param=where)
    return {key: function[key] for key in _SAID_TO_THE_MODEL if function.get(key) is not None}
