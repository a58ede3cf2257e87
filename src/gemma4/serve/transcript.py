"""A conversation written down piece by piece, as clients replay it, → messages that a template renders.

Clients send words, thoughts, calls and results as a flat list. A template wants turns: what the system says
at the start is one text, results stand right behind their calls, and words before the calls they came before.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from ..text.messages import Message, Part, Role, Text, ToolCall
from ..text.templates.probes import joins_turns, shows_media_of_tools
from ..text.templates.template import Template
from .errors import RequestError

_BETWEEN = "\n\n"  # blocks of a message are texts of their own; a template would run them together


@dataclass(slots=True)
class _Turn:
    role: Role
    content: list[Part] = field(default_factory=list)
    thought: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    results: dict[str, tuple[Part, ...]] = field(default_factory=dict)  # by the call's id


class Transcript:
    """Takes pieces in the order in which they came; `messages` is what they amount to."""

    def __init__(self, template: Template) -> None:
        self._joins = joins_turns(template)
        self._shows_media = shows_media_of_tools(template)
        self._turns: list[_Turn] = []
        self._waiting: dict[str, deque[_Turn]] = {}  # calls without a result, by id

    @property
    def ends_with_words_of_the_model(self) -> bool:
        """Whether the last piece is something the model said, which may be gone on with."""
        last = self._turns[-1] if self._turns else None
        if last is None or last.role != "assistant" or last.calls:
            return False
        return bool(last.content)

    def instruct(self, text: str) -> None:
        """What the system or a developer says, at the start or on the way."""
        if text:
            self._last("system").content.append(Text(text))

    def ask(self, parts: Sequence[Part]) -> None:
        """What the user says."""
        self._last("user").content.extend(parts)

    def think(self, thought: str) -> None:
        """What the model thought."""
        turn = self._last("assistant")
        if turn.results or (self._joins and (turn.content or turn.calls)):
            turn = self._new("assistant")
        turn.thought = f"{turn.thought}\n{thought}" if turn.thought else thought

    def say(self, parts: Sequence[Part]) -> None:
        """What the model said."""
        turn = self._last("assistant")
        if turn.results:
            turn = self._new("assistant")
        turn.content.extend(parts)

    def call(self, call: ToolCall) -> None:
        """What the model called."""
        turn = self._last("assistant")
        if turn.results or (self._joins and turn.content and not turn.calls):
            turn = self._new("assistant")
        turn.calls.append(call)
        self._waiting.setdefault(call.id, deque()).append(turn)

    def result(self, call_id: str, parts: Sequence[Part], *, where: str) -> None:
        """What a call brought.

        Raises:
            RequestError: there is no such call, or it has its result.
        """
        waiting = self._waiting.get(call_id)
        if not waiting:
            known = ", ".join(id for id, turns in self._waiting.items() if turns) or "none"
            raise RequestError(
                f"{where} is the result of call {call_id!r}, but calls that wait for one are: {known}",
                param=where,
            )
        waiting.popleft().results[call_id] = tuple(parts)

    def messages(self) -> tuple[Message, ...]:
        """The conversation.

        Raises:
            RequestError: a call has no result.
        """
        missing = [id for id, turns in self._waiting.items() if turns]
        if missing:
            raise RequestError(
                f"no result was sent for call {', '.join(missing)}; send one for each call, behind it"
            )
        return tuple(self._messages())

    def _messages(self) -> Iterator[Message]:
        left: list[Part] = []  # media of tools that only a user's message has a place for
        for turn in self._turns:
            if left and turn.role != "user":
                yield Message(role="user", content=tuple(left))
                left = []
            separator = "" if turn.role == "assistant" else _BETWEEN
            yield Message(
                role=turn.role,
                content=_joined([*left, *turn.content], separator),
                thought=turn.thought or None,
                tool_calls=tuple(turn.calls),
            )
            left = []
            for call in turn.calls:
                found = _joined(turn.results[call.id], _BETWEEN)
                if not self._shows_media and (media := _media(found)):
                    left += [Text(f"What {call.name} returned:"), *media]
                    found = tuple(part for part in found if isinstance(part, Text))
                yield Message(role="tool", content=found, tool_call_id=call.id)
        if left:
            yield Message(role="user", content=tuple(left))

    def _last(self, role: Role) -> _Turn:
        """The turn that goes on, or a new one where another role spoke last."""
        if self._turns and self._turns[-1].role == role:
            return self._turns[-1]
        return self._new(role)

    def _new(self, role: Role) -> _Turn:
        self._turns.append(_Turn(role))
        return self._turns[-1]


def _joined(parts: Sequence[Part], separator: str) -> tuple[Part, ...]:
    """The same with neighbouring texts as one."""
    found: list[Part] = []
    for is_text, group in groupby(parts, lambda part: isinstance(part, Text)):
        if is_text:
            texts = [part.text for part in group if isinstance(part, Text) and part.text]
            found += [Text(separator.join(texts))] if texts else []
        else:
            found += group
    return tuple(found)


def _media(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if not isinstance(part, Text)]
