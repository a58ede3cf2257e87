"""What an answer must obey, in Anthropic's words."""

from ...grammar import Format
from ...llm.question import ToolChoice
from ..errors import RequestError
from ..rules import is_strict, read_format
from .body import CountBody


def tool_choice_of(body: CountBody) -> ToolChoice:
    """Whether a tool must be called, which, and how many at once.

    Raises:
        RequestError: a choice that does not exist.
    """
    choice = body.tool_choice
    strict = is_strict(body.tools or ())
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
    form = body.output_format
    if body.output_config is not None and body.output_config.format is not None:
        form = body.output_config.format
    return read_format(form, param="output_config.format")
