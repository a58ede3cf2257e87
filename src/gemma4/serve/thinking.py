"""What the protocols say of thinking → on or off, and a token budget."""

from collections.abc import Mapping
from typing import Any

from ..llm.thinking import EFFORTS, Thinking, find_thinking
from .errors import RequestError

__all__ = ["Thinking", "thinking_of_effort", "thinking_of_template"]


def thinking_of_effort(effort: str, *, param: str) -> Thinking:
    """What a word such as `medium` means.

    Raises:
        RequestError: another word.
    """
    found = find_thinking(effort)
    if found is None:
        raise RequestError(
            f"{param} is {effort!r}; it must be one of {', '.join(EFFORTS)}", param=param
        )
    return found


def thinking_of_template(arguments: Mapping[str, Any] | None) -> Thinking | None:
    """What `chat_template_kwargs` says of thinking, as vLLM and llama.cpp take it; None: nothing."""
    value = (arguments or {}).get("enable_thinking", (arguments or {}).get("thinking"))
    return None if value is None else Thinking(enabled=bool(value))
