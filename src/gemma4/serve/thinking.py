"""How much a model may think before it answers: words of every protocol → on or off, and a token budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from .errors import RequestError

EFFORTS: Final[Mapping[str, int | None]] = {
    "none": 0,
    "off": 0,
    "minimal": 256,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32768,
    "max": None,
}
"""Most tokens of a thought by the word for it; 0: no thought; None: as long as the answer may be."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether a model thinks, and for how many tokens at most; None: no limit of its own."""

    enabled: bool = False
    budget: int | None = None


def thinking_of_effort(effort: str, *, param: str) -> Thinking:
    """What a word such as `medium` means.

    Raises:
        RequestError: another word.
    """
    word = effort.lower()
    if word not in EFFORTS:
        raise RequestError(
            f"{param} is {effort!r}; it must be one of {', '.join(EFFORTS)}", param=param
        )
    budget = EFFORTS[word]
    return Thinking(enabled=budget != 0, budget=budget or None)


def thinking_of_template(arguments: Mapping[str, Any] | None) -> Thinking | None:
    """What `chat_template_kwargs` says of thinking, as vLLM and llama.cpp take it; None: nothing."""
    value = (arguments or {}).get("enable_thinking", (arguments or {}).get("thinking"))
    return None if value is None else Thinking(enabled=bool(value))
