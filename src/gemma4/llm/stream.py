"""One request as a stream of events, the last of which says what was done."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field

from ..engine.end import End
from ..engine.request import Request
from ..engine.sampler import Choice
from ..engine.sampling import Sampling
from ..engine.streams import Streams
from ..media.types import MediaUsage
from ..text.tokens.tokenizer import Tokenizer
from .decoding import AnswerDecoder
from .events import Event, Finished, FinishReason, Timings, TokenLogprob, Usage


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
class Turn:
    """All that a stream needs: a request that the engine has checked, and how its ids are read."""

    streams: Streams
    request: Request
    tokenizer: Tokenizer
    sampling: Sampling
    context: int
    decoder: AnswerDecoder
    facts: Facts
    on_prefill: Callable[[int, int], None] | None = None


@dataclass(slots=True)
class _Progress:
    """What a stream has seen so far; `repeated_before`: passes that the engine had repeated when it began."""

    started: float
    repeated_before: int
    first_token: float | None = None
    num_tokens: int = 0
    logprobs: list[TokenLogprob] = field(default_factory=list)
    end: End | None = None


def stream_events(turn: Turn) -> Iterator[Event]:
    """Yield pieces and one `Finished`. Closing the iterator frees the request's pages at once."""
    faults = turn.streams.engine.faults
    progress = _Progress(started=time.perf_counter(), repeated_before=faults.repeated)
    with closing(turn.streams.run(turn.request, turn.on_prefill)) as steps:
        for step in steps:
            progress.first_token = progress.first_token or time.perf_counter()
            match step:
                case Choice():
                    progress.num_tokens += 1
                    if step.logprob is not None:
                        progress.logprobs.append(_describe(turn.tokenizer, step))
                    yield from turn.decoder.push(step.id)
                case End():
                    progress.end = step
                    if step.stop_id is not None:
                        yield from turn.decoder.stop(step.stop_id)
            if turn.decoder.stopped_by is not None:
                break
    yield from turn.decoder.finish(_finish(turn, progress.end)[0])
    reason, detail = _finish(turn, progress.end)  # text held back may have been a stop string
    if reason == "stop" and turn.decoder.num_calls:
        reason = "tool_calls"
    yield _finished(turn, progress, reason, detail)


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


def _finished(
    turn: Turn, progress: _Progress, reason: FinishReason, detail: str | None
) -> Finished:
    facts, ended = turn.facts, time.perf_counter()
    first = progress.first_token or ended
    return Finished(
        finish_reason=reason,
        finish_detail=detail,
        usage=Usage(
            prompt_tokens=turn.request.num_prompt,
            completion_tokens=progress.num_tokens,
            cached_tokens=turn.request.cached_tokens,
            thought_tokens=turn.decoder.num_thought_tokens,
            media=facts.media,
        ),
        timings=Timings(
            load=facts.load_seconds,
            media=facts.media_seconds,
            prefill=first - progress.started,
            decode=ended - first,
        ),
        sampling=turn.sampling,
        thinking=facts.thinking,
        template=facts.template,
        model=facts.model,
        device=facts.device,
        dtype=facts.dtype,
        kernels=facts.kernels,
        logprobs=None if turn.sampling.logprobs is None else tuple(progress.logprobs),
        speculation=turn.request.speculation,
        warnings=(*facts.warnings, *turn.decoder.warnings, *_faults(turn, progress)),
    )


def _faults(turn: Turn, progress: _Progress) -> Iterator[str]:
    """What went wrong meanwhile and changed no answer: it took time, or left off what saves time."""
    yield from turn.streams.engine.faults.remarks(progress.repeated_before)
    report = turn.request.speculation
    if report is not None and report.error is not None:
        yield f"drafting was stopped by an error: {report.error}"


def _describe(tokenizer: Tokenizer, choice: Choice) -> TokenLogprob:
    assert choice.logprob is not None
    return TokenLogprob(
        id=choice.id,
        text=tokenizer.decode([choice.id]),
        logprob=choice.logprob,
        top=tuple((token, tokenizer.decode([token]), score) for token, score in choice.top),
    )
