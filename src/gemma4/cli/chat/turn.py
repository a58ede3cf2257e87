"""One question on its way to an answer, and the pair of them as a conversation keeps it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...llm.events import ContentDelta, Finished, FinishReason, ThoughtDelta, ToolCallEvent
from ...text.messages import Message, Text, ToolCall
from ...tools.loop import LoopEvent, ToolAnswer

OnPrefill = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A question and its answer; `finish_reason` is `cancelled` where the user stopped it.

    Attributes:
        between: calls of tools and their answers, on the way.
    """

    user: Message
    answer: Message
    finish_reason: FinishReason
    between: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """All of it, in order."""
        return (self.user, *self.between, self.answer)


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
    ) -> Iterator[LoopEvent]:
        """Ask the model."""


class Turn:
    """One question on its way to an answer.

    Attributes:
        text, thought, tool_calls: of the last round; those before it stand in `between`.
        between: calls that were answered, and the answers.
        answers: of tools, as they came.
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
        self.between: tuple[Message, ...] = ()
        self.answers: tuple[ToolAnswer, ...] = ()
        self.finished: Finished | None = None
        self.kept = False

    def events(self, on_prefill: OnPrefill | None = None) -> Iterator[LoopEvent]:
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
                case ToolAnswer():
                    self._take(event)
            yield event

    def _take(self, told: ToolAnswer) -> None:
        """A call was answered: what the model says next is another round."""
        if told.asked not in self.between:
            self.between = (*self.between, told.asked)
        self.between = (*self.between, told.message)
        self.answers = (*self.answers, told)
        self.text, self.thought, self.tool_calls, self.finished = "", "", (), None
        if self.kept:  # words beside the calls are no answer yet
            self._chat.exchanges, self._chat.unanswered = self._before, self.message
            self.kept = False

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
        exchange = Exchange(
            user=self.message, answer=answer, finish_reason=reason, between=self.between
        )
        self._chat.exchanges = (*self._before, exchange)
        self._chat.unanswered = None
        self.kept = True
