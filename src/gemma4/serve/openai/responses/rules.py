"""What an answer must obey, in the words of Responses."""

from collections.abc import Mapping
from typing import Any

from ....grammar import Format, JsonObject, JsonSchema, ToolMode
from ....llm.question import ToolChoice
from ...errors import RequestError
from ...fields import objects_of
from .body import ResponsesBody
from .offered import flat_name

_MODES: Mapping[str, ToolMode] = {"auto": "auto", "required": "required", "none": "none"}


def tool_choice_of(body: ResponsesBody) -> ToolChoice:
    """Whether a tool must be called, which, and how many at once.

    Raises:
        RequestError: a choice that does not exist.
    """
    choice = body.tool_choice or "auto"
    mode, names = _mode(choice), None
    if isinstance(choice, Mapping):
        is_list = choice.get("type") == "allowed_tools"
        tools = objects_of(choice.get("tools"), "tool_choice.tools") if is_list else (choice,)
        names = tuple(flat_name(str(one.get("name")), one.get("namespace")) for one in tools)
    return ToolChoice(
        mode=mode,
        names=names,
        parallel=body.parallel_tool_calls is not False,
        strict=all(tool.get("strict") is True for tool in body.tools or ()),
    )


def _mode(choice: str | dict[str, Any]) -> ToolMode:
    kind = choice.get("type") if isinstance(choice, Mapping) else None
    if kind in ("function", "custom"):
        return "required"
    mode = choice.get("mode", "auto") if isinstance(choice, Mapping) else choice
    if kind not in (None, "allowed_tools") or mode not in _MODES:
        raise RequestError(
            f"tool_choice is {choice!r}; it must be auto, none, required, a function or custom tool, or "
            "allowed_tools",
            param="tool_choice",
        )
    return _MODES[mode]


def format_of(body: ResponsesBody) -> Format | None:
    """What the text must look like.

    Raises:
        RequestError: a form that does not exist.
    """
    form = None if body.text is None else body.text.format
    match (form or {}).get("type", "text"):
        case "text":
            return None
        case "json_object":
            return JsonObject()
        case "json_schema":
            return _schema(form or {})
        case kind:
            raise RequestError(
                f"text.format is {kind!r}; it must be text, json_object or json_schema",
                param="text.format",
            )


def _schema(form: Mapping[str, Any]) -> JsonSchema:
    schema = form.get("schema")
    if not isinstance(schema, Mapping):
        raise RequestError("text.format has no schema; send one", param="text.format.schema")
    return JsonSchema(schema, strict=form.get("strict") is not False)
