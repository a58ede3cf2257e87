"""Ask, call what the model wants called, tell it the results, ask again: until it answers in words."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..llm.events import ContentDelta, Event, Finished, ThoughtDelta, ToolCallEvent
from ..llm.question import ToolChoice
from ..text.messages import Message, Text, ToolCall
from .result import ToolResult, failure

MAX_ROUNDS = 16


@dataclass(frozen=True, slots=True)
class Denied:
    """A call that is not to be run; the reason is told to the model."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolAnswer:
    """A call was run, or denied, and this is told to the model.

    Attributes:
        asked: the model's message with this call; several answers share one.
        message: the result, as the next message.
    """

    call: ToolCall
    result: ToolResult
    denied: bool
    asked: Message
    message: Message


@dataclass(frozen=True, slots=True)
class RoundsSpent:
    """The model has called tools in so many rounds; it is asked once more, and may not call any."""

    rounds: int


LoopEvent = Event | ToolAnswer | RoundsSpent
Ask = Callable[[Sequence[Message], ToolChoice], Iterator[Event]]
Approve = Callable[[ToolCall], Denied | None]
Run = Callable[[ToolCall], ToolResult]


def run_tools(
    messages: Sequence[Message], *, ask: Ask, approve: Approve, run: Run, max_rounds: int
) -> Iterator[LoopEvent]:
    """The events of all rounds; each ends with a `Finished`, the last of which ends the answer.

    Args:
        ask: streams the model's answer to a conversation.
        approve: asked before every call.
        run: runs a call; an interruption of it (Ctrl-C) ends the call, not the answer.
        max_rounds: of calls.
    """
    said = list(messages)
    for number in range(max_rounds + 1):
        may_call = number < max_rounds
        if not may_call:
            yield RoundsSpent(max_rounds)
        answer = _Answer()
        for event in ask(tuple(said), ToolChoice(mode="auto" if may_call else "none")):
            answer.take(event)
            yield event
        if not may_call or not answer.wants_results:
            return
        asked = answer.message(number)
        said.append(asked)
        for call in asked.tool_calls:
            told = _answered(call, asked, approve, run)
            said.append(told.message)
            yield told


class _Answer:
    """One round's words and calls."""

    def __init__(self) -> None:
        self._text = ""
        self._thought = ""
        self._calls: list[ToolCall] = []
        self._is_whole = False

    def take(self, event: Event) -> None:
        match event:
            case ContentDelta():
                self._text += event.text
            case ThoughtDelta():
                self._thought += event.text
            case ToolCallEvent():
                self._calls.append(event.call)
            case Finished():
                self._is_whole = event.finish_reason == "tool_calls"

    @property
    def wants_results(self) -> bool:
        """Whether there are calls to run. An answer that was cut off is not to be acted upon."""
        return self._is_whole and bool(self._calls)

    def message(self, number: int) -> Message:
        """The round as the next message; ids differ within it whatever the model's reader gave."""
        calls = tuple(
            ToolCall(name=one.name, arguments=one.arguments, id=f"call_{number}_{at}")
            for at, one in enumerate(self._calls)
        )
        return Message(
            role="assistant",
            content=(Text(self._text),) if self._text else (),
            thought=self._thought or None,
            tool_calls=calls,
        )


def _answered(call: ToolCall, asked: Message, approve: Approve, run: Run) -> ToolAnswer:
    verdict = approve(call)
    if verdict is not None:
        result = failure(f"the call was not run: {verdict.reason}")
    else:
        try:
            result = run(call)
        except KeyboardInterrupt:
            result = failure("the user stopped the call before it was done")
    message = Message(role="tool", content=result.parts, tool_call_id=call.id, name=call.name)
    return ToolAnswer(
        call=call, result=result, denied=verdict is not None, asked=asked, message=message
    )
