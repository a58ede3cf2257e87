"""Conversations as plain values. Media are sources here (path, bytes, data URL); `media` prepares them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Role = Literal["system", "developer", "user", "assistant", "tool"]
MediaSource = str | Path | bytes


@dataclass(frozen=True, slots=True)
class Text:
    """Words."""

    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: a path, bytes or a `data:` URL, and the most soft tokens it may take.

    `where`, of all media: what an error calls it, such as `messages[0].content[1]`.
    """

    source: MediaSource
    budget: int | None = None
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound of at most 30 s."""

    source: MediaSource
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Video:
    """A clip, seen as frames."""

    source: MediaSource
    num_frames: int | None = None
    where: str = field(default="", compare=False)


Part = Text | Image | Audio | Video


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A call that the model asks for.

    Attributes:
        id: names the call in the tool message that answers it.
        repaired: what was mended in the model's own words to read it, in words; empty if nothing was.
    """

    name: str
    arguments: Mapping[str, Any]
    id: str
    repaired: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message.

    Attributes:
        content: parts in the order the model meets them.
        thought: the model's reasoning before this message, without channel tokens.
        tool_call_id, name: in a tool message, which call it answers, and the tool's name.
    """

    role: Role
    content: tuple[Part, ...] = ()
    thought: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] | None = None
