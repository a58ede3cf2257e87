"""One question on its way to an answer, and the pair of them as a conversation keeps it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..llm.events import ContentDelta, Event, Finished, FinishReason, ThoughtDelta, ToolCallEvent
from ..text.messages import Message, Text, ToolCall

if TYPE_CHECKING:
    from .chat_session import ChatSession

OnPrefill = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question and its answer; `finish_reason` is `cancelled` where the user stopped it."""

    user: Message
    answer: Message
    finish_reason: FinishReason


class Turn:
    """One question on its way to an answer.

    Attributes:
        kept: whether the exchange is part of the conversation.
        finished: the last event, None until it has come.
    """

    def __init__(self, chat: "ChatSession", message: Message, before: tuple[Exchange, ...]) -> None:
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
        self._chat.unanswered = self.message
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
