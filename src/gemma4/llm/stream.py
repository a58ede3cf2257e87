"""One request as a stream of events, the last of which says what was done."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

from ..engine.end import End
from ..engine.request import Request
from ..engine.sampler import Choice
from ..engine.sampling import Sampling
from ..engine.streams import Streams
from ..grammar import AnswerConstraint
from ..media.types import MediaUsage, Medium
from ..text.tokens.tokenizer import Tokenizer
from .content_logprobs import ContentLogprobs
from .decoding import AnswerDecoder
from .events import (
    ConstraintReport,
    ContentDelta,
    Event,
    Finished,
    FinishReason,
    Timings,
    TokenLogprob,
    Usage,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known before the first token and repeated in the last event."""

    model: str
    device: str
    dtype: str
    kernels: str
    template: str | None
    thinking: bool
    load_seconds: float
    media_seconds: float = 0.0
    media: tuple[MediaUsage, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """What was asked, checked and turned into ids; its media are decoded and not yet encoded."""

    ids: tuple[int, ...]
    media: tuple[Medium, ...]
    sampling: Sampling
    decoder: AnswerDecoder
    facts: Facts
    constraint: AnswerConstraint | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """All that a stream needs: a request that the engine has checked, and how its ids are read."""

    streams: Streams
    request: Request
    tokenizer: Tokenizer
    sampling: Sampling
    context: int
    decoder: AnswerDecoder
    facts: Facts
    constraint: AnswerConstraint | None = None
    on_prefill: Callable[[int, int], None] | None = None


class Reading:
    """One answer while it is read: choices and an end go in, events come out.

    It does not run the engine: whoever does hands over what a step brought.

    Attributes:
        is_over: a stop string was found, so that the request is to be aborted, or its end was taken.
    """

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._started = time.perf_counter()
        self._first_token: float | None = None
        self._num_tokens = 0
        self._logprobs: list[TokenLogprob] = []
        self._of_content = ContentLogprobs()
        self._end: End | None = None
        self._repeated_before = turn.streams.engine.faults.repeated

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be taken."""
        return self._end is not None or self._turn.decoder.stopped_by is not None

    def take(self, step: Choice | End) -> Iterator[Event]:
        """The events that a step brings."""
        assert not self.is_over, "the answer has ended"
        self._first_token = self._first_token or time.perf_counter()
        match step:
            case Choice():
                self._num_tokens += 1
                if step.logprob is not None:
                    self._score(step)
                yield from map(self._with_logprobs, self._turn.decoder.push(step.id))
            case End():
                self._end = step
                if step.stop_id is not None:
                    yield from self._turn.decoder.stop(step.stop_id)

    def finish(self) -> Iterator[Event]:
        """What was held back, and the last event."""
        turn = self._turn
        yield from map(self._with_logprobs, turn.decoder.finish(_finish(turn, self._end)[0]))
        reason, detail = _finish(turn, self._end)  # text held back may have been a stop string
        if reason == "stop" and turn.decoder.num_calls:
            reason = "tool_calls"
        yield self._finished(reason, detail)

    def _score(self, choice: Choice) -> None:
        tokenizer = self._turn.tokenizer
        scored = _describe(tokenizer, choice)
        self._logprobs.append(scored)
        if self._turn.decoder.writes_content(choice.id):
            self._of_content.add(scored, len(tokenizer.token_bytes(choice.id)))

    def _with_logprobs(self, event: Event) -> Event:
        return self._of_content.attach(event) if isinstance(event, ContentDelta) else event

    def _finished(self, reason: FinishReason, detail: str | None) -> Finished:
        turn, facts, ended = self._turn, self._turn.facts, time.perf_counter()
        first = self._first_token or ended
        return Finished(
            finish_reason=reason,
            finish_detail=detail,
            usage=Usage(
                prompt_tokens=turn.request.num_prompt,
                completion_tokens=self._num_tokens,
                cached_tokens=turn.request.cached_tokens,
                thought_tokens=turn.decoder.num_thought_tokens,
                media=facts.media,
            ),
            timings=Timings(
                load=facts.load_seconds,
                media=facts.media_seconds,
                prefill=first - self._started,
                decode=ended - first,
            ),
            sampling=turn.sampling,
            thinking=facts.thinking,
            template=facts.template,
            model=facts.model,
            device=facts.device,
            dtype=facts.dtype,
            kernels=facts.kernels,
            stop_string=turn.decoder.stopped_by,
            logprobs=None if turn.sampling.logprobs is None else tuple(self._logprobs),
            speculation=turn.request.speculation,
            constraint=_held_by(turn.constraint),
            warnings=(*facts.warnings, *turn.decoder.warnings, *self._remarks()),
        )

    def _remarks(self) -> Iterator[str]:
        """What a grammar did, and what went wrong meanwhile and took time, but changed no answer."""
        if self._turn.constraint is not None:
            yield from _remarks(self._turn.constraint)
        yield from self._turn.streams.engine.faults.remarks(self._repeated_before)
        report = self._turn.request.speculation
        if report is not None and report.error is not None:
            yield f"drafting was stopped by an error: {report.error}"


def stream_events(turn: Turn) -> Iterator[Event]:
    """Yield pieces and one `Finished`. Closing the iterator frees the request's pages at once."""
    reading = Reading(turn)
    with closing(turn.streams.run(turn.request, turn.on_prefill)) as steps:
        for step in steps:
            yield from reading.take(step)
            if reading.is_over:
                break
    yield from reading.finish()


def _finish(turn: Turn, end: End | None) -> tuple[FinishReason, str | None]:
    if turn.decoder.stopped_by is not None:
        return "stop", f"stop string {turn.decoder.stopped_by!r}"
    assert end is not None
    match end.reason:
        case "loop":
            block = "token" if end.period == 1 else f"{end.period} tokens"
            return "loop", f"the answer repeated the same {block} without end"
        case "length":
            return "length", f"the limit of {turn.sampling.max_tokens} tokens was reached"
        case "context":
            return "length", f"the context of {turn.context} tokens is full"
        case _:
            return "stop", None


def _held_by(constraint: AnswerConstraint | None) -> ConstraintReport | None:
    if constraint is None:
        return None
    return ConstraintReport(
        engine=constraint.engine,
        closed_thought=constraint.closed_thought,
        ended_loops=constraint.ended_loops,
        loosened=tuple(map(str, constraint.warnings)),
    )


def _remarks(constraint: AnswerConstraint) -> Iterator[str]:
    """What a grammar did that the caller should know."""
    yield from (f"not enforced: {spot}" for spot in constraint.warnings)
    if constraint.closed_thought:
        yield "the thought was closed when its budget was used up"
    if constraint.ended_loops:
        yield f"{constraint.ended_loops} texts that repeated themselves without end were closed"


def _describe(tokenizer: Tokenizer, choice: Choice) -> TokenLogprob:
    assert choice.logprob is not None
    return TokenLogprob(
        id=choice.id,
        text=tokenizer.decode([choice.id]),
        logprob=choice.logprob,
        top=tuple((token, tokenizer.decode([token]), score) for token, score in choice.top),
    )
