"""One request as a stream of events, the last of which says what was done."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..engine.generate import End, generate
from ..engine.prompt import Prompt
from ..engine.sampler import Choice
from ..engine.sampling import Sampling
from ..media.types import MediaUsage
from ..model.gemma4 import Gemma4
from ..text.tokens.tokenizer import Tokenizer
from .decoding import AnswerDecoder
from .events import Event, Finished, FinishReason, Timings, TokenLogprob, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What is known before the first token and repeated in the last event."""

    model: str
    device: str
    dtype: str
    template: str | None
    thinking: bool
    load_seconds: float
    media_seconds: float = 0.0
    media: tuple[MediaUsage, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """All that a stream needs."""

    model: Gemma4
    tokenizer: Tokenizer
    prompt: Prompt
    sampling: Sampling
    stop_ids: frozenset[int]
    context: int
    decoder: AnswerDecoder
    facts: Facts
    on_prefill: Callable[[int, int], None] | None = None


@dataclass(slots=True)
class _Progress:
    """What a stream has seen so far."""

    started: float
    first_token: float | None = None
    num_tokens: int = 0
    logprobs: list[TokenLogprob] = field(default_factory=list)
    end: End | None = None


def stream_events(request: Request) -> Iterator[Event]:
    """Check at once, then yield pieces and one `Finished`. Closing the iterator stops the model.

    Raises:
        ContextError, SamplingError: as `generate`.
    """
    steps = generate(
        request.model,
        request.prompt,
        request.sampling,
        stop_ids=request.stop_ids,
        context=request.context,
        on_prefill=request.on_prefill,
    )
    return _events(request, steps)


def _events(request: Request, steps: Iterator[Choice | End]) -> Iterator[Event]:
    progress = _Progress(started=time.perf_counter())
    for step in steps:
        progress.first_token = progress.first_token or time.perf_counter()
        match step:
            case Choice():
                progress.num_tokens += 1
                if step.logprob is not None:
                    progress.logprobs.append(_describe(request.tokenizer, step))
                yield from request.decoder.push(step.id)
            case End():
                progress.end = step
                if step.stop_id is not None:
                    yield from request.decoder.stop(step.stop_id)
        if request.decoder.stopped_by is not None:
            break
    yield from request.decoder.finish(_finish(request, progress.end)[0])
    reason, detail = _finish(request, progress.end)  # text held back may have been a stop string
    if reason == "stop" and request.decoder.num_calls:
        reason = "tool_calls"
    yield _finished(request, progress, reason, detail)


def _finish(request: Request, end: End | None) -> tuple[FinishReason, str | None]:
    if request.decoder.stopped_by is not None:
        return "stop", f"stop string {request.decoder.stopped_by!r}"
    assert end is not None
    match end.reason:
        case "loop":
            block = "token" if end.period == 1 else f"{end.period} tokens"
            return "loop", f"the answer repeated the same {block} without end"
        case "length":
            return "length", f"the limit of {request.sampling.max_tokens} tokens was reached"
        case "context":
            return "length", f"the context of {request.context} tokens is full"
        case _:
            return "stop", None


def _finished(
    request: Request, progress: _Progress, reason: FinishReason, detail: str | None
) -> Finished:
    facts, ended = request.facts, time.perf_counter()
    first = progress.first_token or ended
    return Finished(
        finish_reason=reason,
        finish_detail=detail,
        usage=Usage(
            prompt_tokens=request.prompt.ids.shape[0],
            completion_tokens=progress.num_tokens,
            thought_tokens=request.decoder.num_thought_tokens,
            media=facts.media,
        ),
        timings=Timings(
            load=facts.load_seconds,
            media=facts.media_seconds,
            prefill=first - progress.started,
            decode=ended - first,
        ),
        sampling=request.sampling,
        thinking=facts.thinking,
        template=facts.template,
        model=facts.model,
        device=facts.device,
        dtype=facts.dtype,
        logprobs=None if request.sampling.logprobs is None else tuple(progress.logprobs),
        warnings=(*facts.warnings, *request.decoder.warnings),
    )


def _describe(tokenizer: Tokenizer, choice: Choice) -> TokenLogprob:
    assert choice.logprob is not None
    return TokenLogprob(
        id=choice.id,
        text=tokenizer.decode([choice.id]),
        logprob=choice.logprob,
        top=tuple((token, tokenizer.decode([token]), score) for token, score in choice.top),
    )
