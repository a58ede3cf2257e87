"""A conversation with a model, without a terminal: what was said, how to answer, what is attached.

An exchange joins the conversation only when its answer is whole, or was stopped with something in it;
an error leaves the conversation as it was.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...engine.sampling import Sampling
from ...errors import InputError, MediaError
from ...llm.events import Event, Finished
from ...llm.options import effective
from ...llm.thinking import Thinking
from ...text.messages import Message, Part, Text
from ...tools.loop import LoopEvent
from ..run.answer_report import stats_lines
from .talker import Talker
from .turn import Exchange, OnPrefill, Turn

if TYPE_CHECKING:
    from ...grammar.formats import Format
    from .tool_use import ToolUse

Events = Iterator[Event]
_OFF = Thinking()


class ChatSession:
    """The state of a conversation.

    Args:
        raw: each text is continued by itself, without a template and without what came before.
        thinking: None: as whoever answers does by itself.
        options: sampling settings over those of the checkpoint.
        format: what answers are to look like.
        stats: describes what was done for an answer.
        tools: that the model may call.

    Attributes:
        exchanges: what was said, oldest first.
        attached: media that go with the next question.
        unanswered: the last question, if it failed or was stopped before an answer.
        last: how the last answer ended; None before the first, and after one that was stopped.
    """

    def __init__(
        self,
        llm: Talker,
        *,
        raw: bool,
        system: str | None = None,
        thinking: Thinking | None = _OFF,
        options: Mapping[str, Any] | None = None,
        image_budget: int | None = None,
        format: "Format | None" = None,
        stats: Callable[[Finished], list[str]] = stats_lines,
        tools: "ToolUse | None" = None,
    ) -> None:
        self.llm = llm
        self.stats = stats
        self.format = format
        self.raw = raw
        self.system = system
        self.thinking = thinking
        self.options = dict(options or {})
        self.image_budget = image_budget
        self.tools = tools
        self.exchanges: tuple[Exchange, ...] = ()
        self.attached: tuple[Part, ...] = ()
        self.unanswered: Message | None = None
        self.last: Finished | None = None

    def ask(self, text: str, media: Sequence[Part] = ()) -> Turn:
        """A question with everything that is attached; nothing happens before its events are read."""
        words = (Text(text),) if text else ()
        message = Message(role="user", content=(*self.attached, *media, *words))
        self.attached = ()
        return Turn(self, message, self.exchanges)

    def ask_again(self) -> Turn:
        """The last question once more; its new answer takes the place of the old one.

        Raises:
            InputError: nothing was asked yet.
        """
        if self.unanswered is not None:
            return Turn(self, self.unanswered, self.exchanges)
        if not self.exchanges:
            raise InputError("there is nothing to retry: ask something first")
        return Turn(self, self.exchanges[-1].user, self.exchanges[:-1])

    def attach(self, part: Part) -> None:
        """Put a medium with the next question.

        Raises:
            MediaError: the model does not take its kind.
        """
        self.check_kind(part)
        self.attached = (*self.attached, part)

    def check_kind(self, part: Part) -> None:
        """Refuse a medium that the model does not take.

        Raises:
            MediaError: names the kinds that it takes.
        """
        kind = type(part).__name__.lower()
        if isinstance(part, Text):
            return
        if self.raw:
            raise MediaError(f"a text that is continued has no place for {kind}; use a chat model")
        if kind not in self.llm.info.modalities:
            raise MediaError(
                f"{self.llm.info.name} takes {', '.join(self.llm.info.modalities)} but no {kind}; "
                f"leave it out, or use a model that takes {kind}"
            )

    def undo(self) -> Exchange:
        """Take the last exchange back.

        Raises:
            InputError: there is none.
        """
        if not self.exchanges:
            raise InputError("there is nothing to undo: the conversation is empty")
        last, self.exchanges = self.exchanges[-1], self.exchanges[:-1]
        self.unanswered = None
        return last

    def clear(self) -> None:
        """Forget what was said and what is attached; instructions and settings stay."""
        self.exchanges, self.attached, self.unanswered = (), (), None

    def set_option(self, key: str, value: object) -> None:
        """Change a sampling setting.

        Raises:
            SamplingError: it is unknown or out of range.
        """
        changed = {**self.options, key: value}
        effective(self.llm.defaults or Sampling(), changed)
        self.options = changed

    def reset_option(self, key: str) -> None:
        """Let the checkpoint decide again."""
        self.options.pop(key, None)

    @property
    def sampling(self) -> Sampling:
        """The settings in effect; where no seed is set, each answer draws its own.

        What is neither set nor known here has the neutral value.
        """
        return replace(self.llm.defaults or Sampling(), **self.options)

    def events(
        self, message: Message, before: Sequence[Exchange], on_prefill: OnPrefill | None
    ) -> Iterator[LoopEvent]:
        """The model's answer to a question, after these exchanges; tools are called on the way."""
        if self.raw:
            return self.llm.stream_text(
                message.text, format=self.format, on_prefill=on_prefill, **self.options
            )
        history = [part for exchange in before for part in exchange.messages]
        system = [Message(role="system", content=(Text(self.system),))] if self.system else []
        messages = [*system, *history, message]
        wanted = self.thinking
        given: dict[str, Any] = {}
        if wanted is not None:
            given = {"thinking": wanted.enabled, "thought_budget": wanted.budget}

        def ask(said: Sequence[Message], **tools: Any) -> Events:
            return self.llm.stream(
                said,
                format=self.format,
                **given,
                **tools,
                image_budget=self.image_budget,
                on_prefill=on_prefill,
                **self.options,
            )

        if self.tools is None:
            return ask(messages)
        return self.tools.events(messages, ask)
