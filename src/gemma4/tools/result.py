"""What a tool gave back, as parts of a message."""

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from ..text.messages import Audio, Image, Part, Text, Video

MOST_CHARACTERS = 200_000
"""More of a result is left out, and said: no context holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What a call gave.

    Attributes:
        parts: texts and media, for the model.
        is_error: the tool failed, or was not run; the parts say why.
    """

    parts: tuple[Part, ...]
    is_error: bool = False

    @property
    def text(self) -> str:
        """The words alone."""
        return "\n".join(part.text for part in self.parts if isinstance(part, Text))

    @property
    def media(self) -> tuple[Image | Audio | Video, ...]:
        """The media alone."""
        return tuple(part for part in self.parts if not isinstance(part, Text))


def failure(message: str) -> ToolResult:
    """A result that tells the model what went wrong."""
    return ToolResult(parts=(Text(f"error: {message}"),), is_error=True)


def result_of(value: Any) -> ToolResult:
    """What a Python function returned: text as it is, parts of messages as they are, all else as JSON."""
    values = value if isinstance(value, list | tuple) else (value,)
    if values and any(isinstance(one, Image | Audio | Video) for one in values):
        return ToolResult(
            parts=tuple(one if _is_part(one) else Text(_words(one)) for one in values)
        )
    return ToolResult(parts=(value if isinstance(value, Text) else Text(_words(value)),))


def _is_part(value: object) -> bool:
    return isinstance(value, Text | Image | Audio | Video)


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    plain = dataclasses.asdict(value) if _is_record(value) else value
    return json.dumps(to_jsonable_python(plain, fallback=str), ensure_ascii=False)


def _is_record(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def readable(result: ToolResult, modalities: Collection[str]) -> ToolResult:
    """The result as a model can take it: what it cannot see becomes words, what is too long is cut."""
    parts: list[Part] = []
    room = MOST_CHARACTERS
    for part in result.parts:
        if isinstance(part, Text):
            text = part.text[:room]
            left_out = len(part.text) - len(text)
            room -= len(text)
            note = f"\n[{left_out:,} more characters were left out]" if left_out else ""
            parts.append(Text(text + note))
            continue
        kind = type(part).__name__.lower()
        seen = kind in modalities
        parts.append(part if seen else Text(f"[{kind} left out: this model takes no {kind}]"))
    return dataclasses.replace(result, parts=tuple(parts))


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments on one line, all of them, for a person who is to approve."""
    return ", ".join(
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in arguments.items()
    )
