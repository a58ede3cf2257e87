"""What a conversation asks of whoever answers: a model loaded here, or one behind a URL."""

from collections.abc import Iterator, Sequence
from typing import Protocol, Unpack

from ...engine.sampling import Sampling
from ...grammar.formats import Format
from ...llm.events import Event
from ...llm.options import SamplingOptions
from ...llm.question import ToolChoice
from ...text.messages import Message, Tool
from .turn import OnPrefill


class TalkerInfo(Protocol):
    """What is known of it.

    Attributes:
        modalities: kinds of media that it takes.
    """

    @property
    def name(self) -> str:
        """The model."""
        ...

    @property
    def modalities(self) -> tuple[str, ...]:
        """Kinds of media that it takes, `text` among them."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user may want to know."""
        ...


class Talker(Protocol):
    """Answers conversations. `gemma4.llm.llm.LLM` is one."""

    @property
    def info(self) -> TalkerInfo:
        """What is known of it."""
        ...

    @property
    def defaults(self) -> Sampling | None:
        """Settings where none are given; None: they are not known here."""
        ...

    def stream(
        self,
        conversation: Sequence[Message],
        *,
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice = ...,
        format: Format | None = None,
        thinking: bool = ...,
        thought_budget: int | None = None,
        image_budget: int | None = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """The events of an answer."""
        ...

    def stream_text(
        self,
        prompt: str,
        *,
        format: Format | None = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """The events of a continuation."""
        ...
