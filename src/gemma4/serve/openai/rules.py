"""What an answer is held to: `tool_choice`, `parallel_tool_calls`, `response_format`."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from ...text.messages import Tool
from ..errors import RequestError


def held_to(
    tools: Sequence[Tool],
    *,
    tool_choice: str | Mapping[str, Any] | None,
    parallel_tool_calls: bool | None,
    response_format: Mapping[str, Any] | None,
) -> tuple[Tool, ...]:
    """The tools that the model is told of. What would have to be enforced is refused.

    Raises:
        RequestError: something other than what the model does by itself, or a choice without meaning.
    """
    chosen = _choice(tools, tool_choice)
    if chosen and parallel_tool_calls is False:
        _refuse("parallel_tool_calls", False)
    if response_format is not None and response_format.get("type", "text") != "text":
        _refuse("response_format", response_format.get("type"))
    return chosen


def _choice(tools: Sequence[Tool], choice: str | Mapping[str, Any] | None) -> tuple[Tool, ...]:
    if choice is None or choice == "auto":
        return tuple(tools)
    if choice == "none":
        return ()
    if choice == "required":
        _refuse("tool_choice", choice)
    kind = None if isinstance(choice, str) else choice.get("type", "function")
    if isinstance(choice, str) or kind not in ("function", "allowed_tools"):
        raise RequestError(
            f"tool_choice is {choice!r}; it must be auto, none, required, a function or allowed_tools",
            param="tool_choice",
        )
    if kind == "function":
        _refuse("tool_choice", choice)
    return _allowed(tools, choice.get("allowed_tools", choice))


def _allowed(tools: Sequence[Tool], allowed: Mapping[str, Any]) -> tuple[Tool, ...]:
    """Those of the tools that are named."""
    if allowed.get("mode", "auto") != "auto":
        _refuse("tool_choice", allowed.get("mode"))
    names = {(one.get("function") or one).get("name") for one in allowed.get("tools") or ()}
    unknown = names - {tool.name for tool in tools}
    if unknown:
        raise RequestError(
            f"tool_choice allows {sorted(map(str, unknown))[0]!r}, which was not offered; "
            f"the tools are {', '.join(tool.name for tool in tools) or 'none'}",
            param="tool_choice",
        )
    return tuple(tool for tool in tools if tool.name in names)


def _refuse(param: str, value: object) -> NoReturn:
    raise RequestError(
        f"{param} is {value!r}, which this server cannot enforce; leave it out", param=param
    )
