"""What an answer must obey, in Anthropic's words."""

from ..errors import RequestError
from .body import CountBody


def check_rules(body: CountBody) -> None:
    """Refuse what would bind the answer and cannot yet be enforced.

    Raises:
        RequestError: a tool must be called, or the answer must have a form.
    """
    kind = "auto" if body.tool_choice is None else body.tool_choice.type
    if kind in ("any", "tool"):
        raise RequestError(
            f"tool_choice {kind!r} cannot be enforced by this server; send auto or none",
            param="tool_choice",
        )
    if kind not in ("auto", "none"):
        raise RequestError(
            f"tool_choice.type is {kind!r}; it must be auto, any, tool or none", param="tool_choice"
        )
    if body.output_config is not None and body.output_config.format is not None:
        raise RequestError(
            "output_config.format cannot be enforced by this server; ask for the form in words",
            param="output_config.format",
        )


def wants_one_call(body: CountBody) -> bool:
    """Whether an answer may hold one call at most."""
    choice = body.tool_choice
    return choice is not None and bool(choice.disable_parallel_tool_use)
