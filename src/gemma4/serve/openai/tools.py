"""Tools as OpenAI's clients offer them: functions are taken, other kinds left out and said."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...text.messages import Tool
from ...text.tools.define import tool_from_schema


def read_tools(offered: Sequence[Mapping[str, Any]]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The functions among them, and remarks on what was left out.

    Raises:
        MessageError: a function that no model could call.
    """
    tools, remarks = [], []
    for tool in offered:
        kind = tool.get("type", "function")
        if kind != "function":
            remarks.append(f"a tool of type {kind!r} was left out: this server runs functions only")
            continue
        tools.append(tool_from_schema(tool))
    return tuple(tools), tuple(remarks)
