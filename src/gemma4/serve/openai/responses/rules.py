"""What an answer must obey: `tool_choice` with its name spaces, and `text.format`."""

from collections.abc import Mapping
from typing import Any

from ....grammar import Format
from ....llm.question import ToolChoice
from ...fields import objects_of
from ...rules import is_strict, read_format, read_tool_choice
from .body import ResponsesBody
from .offered import flat_name


def tool_choice_of(body: ResponsesBody) -> ToolChoice:
    """Whether a tool must be called, which, and how many at once.

    Raises:
        RequestError: a choice that does not exist.
    """
    choice = body.tool_choice
    return read_tool_choice(
        _flat(choice) if isinstance(choice, Mapping) else choice,
        parallel=body.parallel_tool_calls,
        strict=is_strict(body.tools or ()),
    )


def format_of(body: ResponsesBody) -> Format | None:
    """What the text must look like.

    Raises:
        RequestError: a form that does not exist.
    """
    return None if body.text is None else read_format(body.text.format, param="text.format")


def _flat(choice: Mapping[str, Any]) -> dict[str, Any]:
    """The choice with tools under the names that the model knows."""
    if choice.get("type") != "allowed_tools":
        return _named(choice)
    tools = objects_of(choice.get("tools"), "tool_choice.tools")
    return {
        "type": "allowed_tools",
        "mode": choice.get("mode", "auto"),
        "tools": [*map(_named, tools)],
    }


def _named(tool: Mapping[str, Any]) -> dict[str, Any]:
    name = tool.get("name")
    if isinstance(name, str):
        name = flat_name(name, tool.get("namespace"))
    return {"type": tool.get("type"), "name": name}
