"""What the codec finds in a stream of ids, in the order it stood there."""

from dataclasses import dataclass

from ..messages import ToolCall


@dataclass(frozen=True, slots=True)
class ThoughtPiece:
    """More of the reasoning; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class ContentPiece:
    """More of the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallComplete:
    """A call that could be read.

    Attributes:
        raw: what the model wrote between the call markers.
        declared: whether the request offers a tool of this name; if not, do not run it.
    """

    call: ToolCall
    raw: str
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBroken:
    """A call that could not be read. Its `raw` text follows as a `ContentPiece`, so nothing is lost.

    Attributes:
        raw: what the model wrote between the call markers.
        problem: why it could not be read, in words.
        reason: "malformed", or the finish reason that cut it off ("length", "loop", "cancelled").
    """

    raw: str
    problem: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a caller should know that is neither reasoning, answer nor call."""

    message: str


CodecEvent = ThoughtPiece | ContentPiece | CallComplete | CallBroken | Notice
