"""What an answer must obey, in Anthropic's words."""

from collections.abc import Mapping
from typing import Any

from ...grammar import Format, JsonSchema
from ...llm.question import ToolChoice
from ..errors import RequestError
from .body import CountBody


def tool_choice_of(body: CountBody) -> ToolChoice:
    """Whether a tool must be called, which, and how many at once.

    Raises:
        RequestError: a choice that does not exist.
    """
    choice = body.tool_choice
    strict = all(tool.get("strict") is True for tool in body.tools or ())
    if choice is None:
        return ToolChoice(strict=strict)
    parallel = not choice.disable_parallel_tool_use
    match choice.type:
        case "auto":
            return ToolChoice(parallel=parallel, strict=strict)
        case "none":
            return ToolChoice(mode="none")
        case "any":
            return ToolChoice(mode="required", parallel=parallel, strict=strict)
        case "tool" if choice.name:
            names = (choice.name,)
            return ToolChoice(mode="required", names=names, parallel=parallel, strict=strict)
        case "tool":
            raise RequestError("tool_choice names no tool; give its name", param="tool_choice.name")
    raise RequestError(
        f"tool_choice.type is {choice.type!r}; it must be auto, any, tool or none",
        param="tool_choice.type",
    )


def format_of(body: CountBody) -> Format | None:
    """What the answer must look like; `output_format` is its older place.

    Raises:
        RequestError: a form that does not exist.
    """
    form: Mapping[str, Any] | None = body.output_format
    if body.output_config is not None and body.output_config.format is not None:
        form = body.output_config.format
    if form is None:
        return None
    schema = form.get("schema")
    if form.get("type") != "json_schema" or not isinstance(schema, Mapping):
        raise RequestError(
            f"output_config.format is of type {form.get('type')!r}; it must be json_schema with a schema",
            param="output_config.format",
        )
    return JsonSchema(schema)
