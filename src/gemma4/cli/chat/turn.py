"""One question on its way to an answer, and the pair of them as a conversation keeps it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...llm.events import ContentDelta, Event, Finished, FinishReason, ThoughtDelta, ToolCallEvent
from ...text.messages import Message, Text, ToolCall

OnPrefill = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question and its answer; `finish_reason` is `cancelled` where the user stopped it."""

    user: Message
    answer: Message
    finish_reason: FinishReason


class Chat(Protocol):
    """What a turn asks of its conversation.

    Attributes:
        exchanges: so far. unanswered: the question that has no answer yet. last: the last event.
    """

    exchanges: tuple[Exchange, ...]
    unanswered: Message | None
    last: Finished | None

    def events(
        self, message: Message, before: Sequence[Exchange], on_prefill: OnPrefill | None
    ) -> Iterator[Event]:
        """Ask the model."""


class Turn:
    """One question on its way to an answer.

    Attributes:
        kept: whether the exchange is part of the conversation.
        finished: the last event, None until it has come.
    """

    def __init__(self, chat: Chat, message: Message, before: tuple[Exchange, ...]) -> None:
        self._chat = chat
        self._before = before
        self.message = message
        self.text = ""
        self.thought = ""
        self.tool_calls: tuple[ToolCall, ...] = ()
        self.finished: Finished | None = None
        self.kept = False

    def events(self, on_prefill: OnPrefill | None = None) -> Iterator[Event]:
        """Ask, and give out the events; at the end the exchange joins the conversation."""
        self._chat.unanswered, self._chat.last = self.message, None
        for event in self._chat.events(self.message, self._before, on_prefill):
            match event:
                case ContentDelta():
                    self.text += event.text
                case ThoughtDelta():
                    self.thought += event.text
                case ToolCallEvent():
                    self.tool_calls = (*self.tool_calls, event.call)
                case Finished():
                    self.finished = self._chat.last = event
                    self._keep(event.finish_reason)
            yield event

    def stop(self) -> bool:
        """Keep what there is of an answer that was stopped; False if there is nothing to keep."""
        if self.finished is None:
            self._keep("cancelled")
        return self.kept

    def _keep(self, reason: FinishReason) -> None:
        """Join the conversation. An answer without words would make the next question senseless.

        Calls are not kept: nobody is there to answer them, and a call without an answer is refused.
        """
        if not self.text.strip():
            return
        answer = Message(role="assistant", content=(Text(self.text),), thought=self.thought or None)
        exchange = Exchange(user=self.message, answer=answer, finish_reason=reason)
        self._chat.exchanges = (*self._before, exchange)
        self._chat.unanswered = None
        self.kept = True
