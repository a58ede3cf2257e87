"""Tools as Anthropic's clients offer them: their own are taken, those of its servers left out and said."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...text.messages import Tool
from ...text.tools.define import to_tools, tool_from_schema
from ..fields import objects_of


def read_tools(offered: Sequence[Mapping[str, Any]]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The client's own tools, and remarks on what was left out.

    Raises:
        MessageError: a tool that no model could call, or two of one name.
    """
    tools, remarks = [], []
    for tool in offered:
        kind = tool.get("type") or "custom"
        if kind == "custom":
            tools.append(_tool(tool))
        else:
            remarks.append(
                f"tool {tool.get('name', kind)!r} of type {kind!r} was left out: Anthropic's servers run or "
                "define it, and this one does not"
            )
    return to_tools(tools), tuple(remarks)


def _tool(tool: Mapping[str, Any]) -> Tool:
    """Its name, words and schema; the rest tells a server how to bill, cache or defer it."""
    name = tool.get("name")
    description = str(tool.get("description") or "")
    for example in objects_of(tool.get("input_examples"), f"tool {name!r}: input_examples"):
        description += f"\nExample of its input: {json.dumps(example, ensure_ascii=False)}"
    return tool_from_schema(
        {
            "name": name,
            "description": description,
            "parameters": tool.get("input_schema"),
        }
    )
