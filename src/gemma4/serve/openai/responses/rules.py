"""What an answer must obey, in the words of Responses."""

from collections.abc import Mapping
from typing import Any

from ...errors import RequestError
from ...fields import objects_of
from .body import ResponsesBody
from .offered import Offered, flat_name, offer


def check_rules(body: ResponsesBody) -> None:
    """Refuse what would bind the answer and cannot yet be enforced.

    Raises:
        RequestError: a tool must be called, or the text must have a form.
    """
    choice = body.tool_choice
    mode = choice.get("mode", "auto") if isinstance(choice, Mapping) else choice
    kind = choice.get("type") if isinstance(choice, Mapping) else "allowed_tools"
    if kind != "allowed_tools" or mode not in (None, "auto", "none"):
        raise RequestError(
            f"tool_choice {choice!r} cannot be enforced by this server; send auto or none",
            param="tool_choice",
        )
    form = ((body.text and body.text.format) or {}).get("type", "text")
    if form != "text":
        raise RequestError(
            f"text.format {form!r} cannot be enforced by this server; ask for the form in words",
            param="text.format",
        )


def offered_tools(body: ResponsesBody) -> Offered:
    """The tools that may be called: none, those that are allowed, or all.

    Raises:
        MessageError: a tool that no model could call.
    """
    choice = body.tool_choice
    if choice == "none":
        return offer(())
    allowed = None
    if isinstance(choice, Mapping):
        allowed = frozenset(
            _name(tool) for tool in objects_of(choice.get("tools"), "tool_choice.tools")
        )
    return offer(body.tools or (), allowed=allowed)


def _name(tool: Mapping[str, Any]) -> str:
    return flat_name(str(tool.get("name")), tool.get("namespace"))
