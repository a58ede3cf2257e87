"""Split a stream of token ids into thought, content and tool calls.

    content ── <|channel>NAME ──▶ thought ── <channel|> ──▶ content
       └── <|tool_call> … ──▶ call ── <tool_call|> or the next marker ──▶ back to where it began

Only ids change the state: a marker that the model merely spells out is text. Nothing is dropped: every
word comes out once, as thought, as content or as the raw text of a call. Rendering is in `tool_syntax`,
reading of calls in `call_reader`; this file knows neither turns nor HTTP.
"""

import codecs
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from ..messages import Tool, ToolCall
from .call_cursor import Ending
from .call_reader import ReadCall, StrayText, read_calls
from .call_text import CallText
from .events import CallBroken, CallComplete, CodecEvent, ContentPiece, Notice, ThoughtPiece
from .thought_text import ThoughtText

_ENDS_TURN = frozenset({"<|tool_response>", "<turn|>", "<eos>"})
_NATURAL = frozenset({"stop", "tool_calls"})


class Vocabulary(Protocol):
    """What the codec asks of a tokenizer."""

    @property
    def special_ids(self) -> Mapping[str, int]:
        """Special tokens by name."""

    def token_bytes(self, id: int, /) -> bytes:
        """UTF-8 bytes of an ordinary token; a character may be split over tokens."""


def random_call_id() -> str:
    """Make an id for a call that no other conversation has."""
    return f"call_{secrets.token_hex(12)}"


class Decoder:
    """Decodes one answer, id by id, in time that does not grow with what came before.

    A call inside the thought is not made: it stays in the thought and a `Notice` says so. The one
    exception is a thought left open because the model hands over to the tool itself, with
    `<|tool_response>` right after the call.

    Args:
        tokenizer: special ids and bytes of tokens.
        tools: what the request offers; names are resolved against them.
        opens_thought: whether the prompt ends inside an open thought.
        new_call_id: names each call.

    Attributes:
        in_thought: whether the next id belongs to a thought.
        num_thought_tokens: ids so far that belong to thoughts, their markers included.
    """

    def __init__(
        self,
        tokenizer: Vocabulary,
        *,
        tools: Sequence[Tool] = (),
        opens_thought: bool = False,
        new_call_id: Callable[[], str] = random_call_id,
    ) -> None:
        self.in_thought = opens_thought
        self.num_thought_tokens = 0
        self._token_bytes = tokenizer.token_bytes
        self._names = {token_id: name for name, token_id in tokenizer.special_ids.items()}
        self._tools = tuple(tools)
        self._new_call_id = new_call_id
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._thought = ThoughtText()
        self._call: CallText | None = None
        self._noticed: set[str] = set()
        self._out: list[CodecEvent] = []

    @property
    def in_content(self) -> bool:
        """Whether the next id, if it is no marker, is content."""
        return not self.in_thought and self._call is None

    def push(self, token_id: int) -> tuple[CodecEvent, ...]:
        """Take the next id, stop ids included, and return what it completes."""
        before = self.in_thought
        name = self._names.get(token_id)
        if name is None:
            self._text(self._utf8.decode(self._token_bytes(token_id)))
        else:
            self._flush_characters()
            self._special(name)
        self.num_thought_tokens += before or self.in_thought
        return self._drain()

    def finish(self, reason: str = "stop") -> tuple[CodecEvent, ...]:
        """End the answer.

        Args:
            reason: "stop" or "tool_calls" when the model ended by itself; any other finish reason
                ("length", "loop", "cancelled") means that it was cut off.
        """
        self._flush_characters()
        if self._call is not None:
            self._end_call("ended" if reason in _NATURAL else "cut", reason)
        if self.in_thought:
            self._end_thought()
            self._out.append(Notice("the answer ended inside the thought"))
        return self._drain()

    def _text(self, text: str) -> None:
        if not text:
            return
        if self._call is not None:
            self._call.add(text)
        elif self.in_thought:
            self._out += self._thought.add(text)
        else:
            self._out.append(ContentPiece(text))

    def _special(self, name: str) -> None:
        if self._call is not None and not self._leaves_call(self._call, name):
            return
        match name:
            case "<|channel>":
                self._out += self._thought.begin()
                self.in_thought = True
            case "<channel|>" if self.in_thought:
                self._end_thought()
            case "<|tool_call>":
                self._call = CallText()
            case '<|"|>':
                self._text('"')
            case _ if name in _ENDS_TURN:
                self._end_turn(name)
            case _:
                self._notice_once(f"the model wrote {name} where it means nothing")

    def _leaves_call(self, call: CallText, name: str) -> bool:
        """Whether the token ends the call and then still means something of its own."""
        if name == "<tool_call|>":
            self._end_call("closed")
            return False
        ends = (
            name == "<|tool_call>"
            or name in _ENDS_TURN
            or (name == "<|channel>" and call.complete)
            or (name == "<channel|>" and self.in_thought and not call.in_channel)
        )
        if ends:
            self._end_call("ended")
        else:
            call.add_special(name)
        return ends

    def _end_call(self, ending: Ending, reason: str = "malformed") -> None:
        body, self._call = (self._call.body if self._call is not None else ""), None
        if self.in_thought:
            self._out += self._thought.add_call(body, ending)
        else:
            self._read_call(body, ending, reason=reason)

    def _read_call(
        self, body: str, ending: Ending, *, mended: tuple[str, ...] = (), reason: str = "malformed"
    ) -> None:
        if ending != "closed":
            mended = (*mended, "no <tool_call|> at its end")
        for found in read_calls(body, self._tools, ending):
            match found:
                case ReadCall():
                    self._out.append(self._complete(found, mended))
                case StrayText():
                    self._out += [
                        Notice("words after a call, before its closing marker, are content"),
                        ContentPiece(found.raw),
                    ]
                case _:
                    self._out.append(
                        CallBroken(raw=found.raw, problem=found.problem, reason=reason)
                    )
                    self._out += [ContentPiece(found.raw)] if found.raw else []

    def _complete(self, found: ReadCall, mended: tuple[str, ...]) -> CallComplete:
        call = ToolCall(
            name=found.name,
            arguments=found.arguments,
            id=self._new_call_id(),
            repaired=found.repaired + mended,
        )
        return CallComplete(call=call, raw=found.raw, declared=found.declared)

    def _end_thought(self) -> None:
        self._out += self._thought.end()
        self.in_thought = False

    def _end_turn(self, name: str) -> None:
        if not self.in_thought:
            return
        calls = self._thought.take_calls() if name == "<|tool_response>" else []
        self._end_thought()
        if not calls:
            self._out.append(Notice("the turn ended inside the thought"))
        for call in calls:
            mended = ("the thought before it was not closed",)
            self._read_call(call.body, call.ending, mended=mended)

    def _notice_once(self, message: str) -> None:
        if message not in self._noticed:
            self._noticed.add(message)
            self._out.append(Notice(message))

    def _flush_characters(self) -> None:
        """Write what is left of a character that ended in the middle, as U+FFFD."""
        self._text(self._utf8.decode(b"", final=True))

    def _drain(self) -> tuple[CodecEvent, ...]:
        """Take the waiting events, neighbours of one kind joined."""
        joined: list[CodecEvent] = []
        for event in self._out:
            last = joined[-1] if joined else None
            if isinstance(event, ContentPiece) and isinstance(last, ContentPiece):
                joined[-1] = ContentPiece(last.text + event.text)
            elif isinstance(event, ThoughtPiece) and isinstance(last, ThoughtPiece):
                joined[-1] = ThoughtPiece(last.text + event.text)
            else:
                joined.append(event)
        self._out.clear()
        return tuple(joined)
