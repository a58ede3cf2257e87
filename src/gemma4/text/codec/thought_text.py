"""The reasoning as it streams: without the channel's name, without an empty block, one line end trimmed.

The templates write `<|channel>thought\\nTEXT\\n<channel|>`; what comes out here is TEXT. Spaces are held
back until a word follows, so that a block of spaces vanishes and the last line end can be removed.
"""

import re
from dataclasses import dataclass, field

from .call_cursor import Ending, spelled
from .events import CodecEvent, Notice, ThoughtPiece

CHANNEL = "thought"
_CHANNEL_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class ThoughtCall:
    """A call that the model wrote inside a thought, and the spaces after it."""

    body: str
    ending: Ending
    spaces: list[str] = field(default_factory=list)


class ThoughtText:
    """Collects the thoughts of one answer; every method returns the events it completes."""

    def __init__(self) -> None:
        self._name: str | None = None  # the first line of a block, while it may be its name
        self._spaces: list[str] = []  # held back
        self._gap = ""  # line end removed from the block before
        self._empty = True  # whether this block has no word yet
        self._calls: list[ThoughtCall] = []  # with nothing but spaces after them

    def begin(self) -> list[CodecEvent]:
        """Open a block after `<|channel>`: its first line may be its name."""
        events = self.end()
        self._name = ""
        return events

    def add(self, text: str) -> list[CodecEvent]:
        """Take more text."""
        if self._name is None:
            return self._add_text(text)
        self._name += text
        line, newline, rest = self._name.partition("\n")
        if newline and line == CHANNEL:
            self._name = None
            return self._add_text(rest)
        if newline and _CHANNEL_NAME.fullmatch(line):
            self._name = None
            note = Notice(f"unknown channel {line!r} read as {CHANNEL!r}")
            return [note, *self._add_text(rest)]
        if newline or not _CHANNEL_NAME.fullmatch(line):
            return self._add_first_line()
        return []

    def add_call(self, body: str, ending: Ending) -> list[CodecEvent]:
        """Keep a call that the model wrote inside the thought until it is clear what it meant."""
        events = self._add_first_line()
        self._calls.append(ThoughtCall(body, ending))
        return events

    def take_calls(self) -> list[ThoughtCall]:
        """Hand out the calls that nothing followed, because the model handed over to the tool."""
        calls, self._calls = self._calls, []
        return calls

    def end(self) -> list[CodecEvent]:
        """Close the block."""
        events = [*self._add_first_line(), *self._add_calls()]
        spaces = "".join(self._spaces)
        kept = spaces.removesuffix("\n")
        if not self._empty:
            self._gap = spaces[len(kept) :]
            events += [ThoughtPiece(kept)] if kept else []
        self._spaces, self._empty = [], True
        return events

    def _add_first_line(self) -> list[CodecEvent]:
        line, self._name = self._name, None
        return self._add_text(line) if line and line != CHANNEL else []

    def _add_text(self, text: str) -> list[CodecEvent]:
        words = text.rstrip()
        if not words:
            held = self._calls[-1].spaces if self._calls else self._spaces
            held += [text] if text else []
            return []
        events = self._add_calls()
        piece = self._gap + "".join(self._spaces) + words
        self._spaces, self._gap, self._empty = [text[len(words) :]], "", False
        return [*events, ThoughtPiece(piece)]

    def _add_calls(self) -> list[CodecEvent]:
        events: list[CodecEvent] = []
        for call in self.take_calls():
            raw = spelled(call.body)
            events.append(Notice(f"a call inside the thought was not made: {raw}"))
            events += self._add_text(raw)
            self._spaces += call.spaces
        return events
