"""What an answer is made of. Streaming is the primitive: an `Answer` is the fold of its events."""

from dataclasses import dataclass
from typing import Literal

from ..engine.sampling import Sampling
from ..engine.speculation.report import SpeculationReport
from ..media.types import MediaUsage
from ..text.messages import Message, Text, ToolCall

FinishReason = Literal["stop", "length", "tool_calls", "loop", "cancelled"]


@dataclass(frozen=True, slots=True)
class ThoughtDelta:
    """A piece of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLogprob:
    """One generated token, its log-probability, and the likeliest (id, text, log-probability)."""

    id: int
    text: str
    logprob: float
    top: tuple[tuple[int, str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class ContentDelta:
    """A piece of the answer; where asked for, log-probabilities of the tokens whose text begins in it."""

    text: str
    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolCallEvent:
    """A complete call."""

    call: ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Counts of one answer: media are in `prompt_tokens`, thoughts in `completion_tokens`.

    Attributes:
        cached_tokens: of the prompt, not computed again: an earlier request began with the same.
    """

    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    thought_tokens: int
    media: tuple[MediaUsage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Wall-clock seconds."""

    load: float
    media: float
    prefill: float
    decode: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintReport:
    """What held an answer to its format or to its tools.

    Attributes:
        engine: the library that did.
        closed_thought: the thought was closed because its budget was used up.
        ended_loops: texts that repeated themselves without end and were closed.
        loosened: spots of schemas that were not enforced.
    """

    engine: str
    closed_thought: bool
    ended_loops: int
    loosened: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The last event: why it ended and what was really done.

    Attributes:
        finish_detail: a sentence for a person when the reason needs one (`loop`, `length`).
        sampling: effective settings, checkpoint defaults filled in.
        template: revision of the chat template, `None` for plain completion.
        stop_string: that ended the answer, if one did.
        logprobs: of all tokens, those of thoughts and calls included; None where not asked for.
        speculation: what guessing tokens ahead did; None where nothing guesses.
        constraint: what held the answer; None where it was free.
        warnings: what the caller should know: a repaired tool call, a cut sound, a call left as text.
    """

    finish_reason: FinishReason
    finish_detail: str | None
    usage: Usage
    timings: Timings
    sampling: Sampling
    thinking: bool
    template: str | None
    model: str
    device: str
    dtype: str
    kernels: str
    stop_string: str | None = None
    logprobs: tuple[TokenLogprob, ...] | None = None
    speculation: SpeculationReport | None = None
    constraint: ConstraintReport | None = None
    warnings: tuple[str, ...] = ()


Event = ThoughtDelta | ContentDelta | ToolCallEvent | Finished


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer."""

    text: str
    thought: str
    tool_calls: tuple[ToolCall, ...]
    finished: Finished

    @property
    def message(self) -> Message:
        """The answer as the next message of the conversation."""
        return Message(
            role="assistant",
            content=(Text(self.text),) if self.text else (),
            thought=self.thought or None,
            tool_calls=self.tool_calls,
        )
