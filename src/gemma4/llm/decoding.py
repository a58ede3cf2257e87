"""From choices of ids to events: the codec for conversations, plain text for completion."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from ..text.codec.decoder import Decoder
from ..text.codec.events import (
    CallBroken,
    CallComplete,
    CodecEvent,
    ContentPiece,
    Notice,
    ThoughtPiece,
)
from ..text.messages import Tool
from ..text.tokens.detokenizer import Detokenizer
from ..text.tokens.tokenizer import Tokenizer
from .events import ContentDelta, Event, ThoughtDelta, ToolCallEvent
from .stop_strings import StopStrings


class AnswerDecoder(Protocol):
    """What a stream asks of the way its ids are read.

    Attributes:
        warnings: found so far. num_calls: complete calls so far.
    """

    warnings: list[str]
    num_calls: int

    @property
    def num_thought_tokens(self) -> int:
        """Ids that belonged to thoughts."""

    @property
    def stopped_by(self) -> str | None:
        """The stop string that ended the answer, or None."""

    def writes_content(self, token: int) -> bool:
        """Whether this id would be content if it came next; not of a thought, a call or a marker."""

    def push(self, token: int) -> Iterator[Event]:
        """Take an id."""

    def stop(self, token: int) -> Iterator[Event]:
        """Take the id that ended the answer; its text is no part of it."""

    def finish(self, reason: str) -> Iterator[Event]:
        """End the answer."""


class PlainDecoder:
    """Everything is content: completion without a template."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str]) -> None:
        self._text = Detokenizer(tokenizer)
        self._stops = StopStrings(stop)
        self.warnings: list[str] = []
        self.num_calls = 0
        self.num_thought_tokens = 0

    @property
    def stopped_by(self) -> str | None:
        """The stop string that ended the answer."""
        return self._stops.hit

    def writes_content(self, token: int) -> bool:
        """All is content."""
        del token
        return True

    def push(self, token: int) -> Iterator[Event]:
        """Take an id."""
        yield from _content(self._stops.push(self._text.push(token)))

    def stop(self, token: int) -> Iterator[Event]:
        """Nothing follows from the id that ended the text."""
        del token
        yield from ()

    def finish(self, reason: str) -> Iterator[Event]:
        """Give out what was held back."""
        del reason
        if self._stops.hit is None:
            yield from _content(self._stops.push(self._text.finish()))
        if self._stops.hit is None:
            yield from _content(self._stops.finish())


class ChatDecoder:
    """Thought, content and calls told apart by id; stop strings look at content only."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        stop: Sequence[str],
        *,
        tools: Sequence[Tool],
        opens_thought: bool,
    ) -> None:
        self._codec = Decoder(tokenizer, tools=tools, opens_thought=opens_thought)
        self._is_special = tokenizer.is_special
        self._stops = StopStrings(stop)
        self.warnings: list[str] = []
        self.num_calls = 0

    @property
    def num_thought_tokens(self) -> int:
        """Ids that belonged to thoughts, their markers included."""
        return self._codec.num_thought_tokens

    @property
    def stopped_by(self) -> str | None:
        """The stop string that ended the answer."""
        return self._stops.hit

    def writes_content(self, token: int) -> bool:
        """Whether this id would be content if it came next."""
        return self._codec.in_content and not self._is_special(token)

    def push(self, token: int) -> Iterator[Event]:
        """Take an id."""
        for found in self._codec.push(token):
            yield from self._event(found)

    def stop(self, token: int) -> Iterator[Event]:
        """Take the id that ended the answer: a marker means something, a word of the caller's nothing."""
        if self._is_special(token):
            yield from self.push(token)

    def finish(self, reason: str) -> Iterator[Event]:
        """Close what is open: an unfinished thought, an unfinished call, held-back text."""
        if self._stops.hit is not None:
            return
        for found in self._codec.finish(reason):
            yield from self._event(found)
        if self._stops.hit is None:
            yield from _content(self._stops.finish())

    def _event(self, found: CodecEvent) -> Iterator[Event]:
        if self._stops.hit is not None:  # nothing after a stop string is part of the answer
            return
        match found:
            case ContentPiece():
                yield from _content(self._stops.push(found.text))
            case ThoughtPiece():
                yield ThoughtDelta(found.text)
            case CallComplete():
                yield from _content(self._stops.finish())
                self.num_calls += 1
                if found.call.repaired:
                    mended = ", ".join(found.call.repaired)
                    self.warnings.append(f"call of {found.call.name} was repaired: {mended}")
                if not found.declared:
                    self.warnings.append(f"{found.call.name} is no tool that was offered")
                yield ToolCallEvent(found.call)
            case CallBroken():
                self.warnings.append(
                    f"a tool call could not be read ({found.problem}) and stands in the text"
                )
            case Notice():
                self.warnings.append(found.message)


def _content(text: str) -> Iterator[Event]:
    if text:
        yield ContentDelta(text)
