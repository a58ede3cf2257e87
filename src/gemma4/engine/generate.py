"""One request from prompt to end: prefill in chunks, then a token at a time. Ids in, ids out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch

from ..errors import ContextError
from ..model.batch import Batch
from ..model.gemma4 import Gemma4
from ..model.kv import DenseKV
from .loop_guard import LoopGuard
from .prompt import Prompt
from .sampler import Choice, Sampler
from .sampling import Sampling

PREFILL_CHUNK = 512
EXPECTED_ANSWER = 2048
"""Tokens that keys and values get memory for at first: a GPU gives it at once."""
EndReason = Literal["stop", "length", "loop", "context"]


@dataclass(frozen=True, slots=True)
class End:
    """Why generation ended. `stop_id` is the id that ended it; `period` that of a loop in tokens."""

    reason: EndReason
    stop_id: int | None = None
    period: int | None = None


def generate(
    model: Gemma4,
    prompt: Prompt,
    sampling: Sampling,
    *,
    stop_ids: frozenset[int],
    context: int,
    on_prefill: Callable[[int, int], None] | None = None,
) -> Iterator[Choice | End]:
    """Check at once, then yield choices and one `End`. Closing the iterator frees the request.

    Args:
        stop_ids: ids that end the answer; they are not yielded as choices.
        context: tokens that prompt and answer may have together.
        on_prefill: told tokens done and tokens in all after each chunk.

    Raises:
        ContextError: the prompt leaves no room for one token.
        SamplingError: the settings name an id outside the vocabulary.
    """
    length = prompt.ids.shape[0]
    check_context(length, context)
    sampler = Sampler(sampling, prompt_ids=prompt.ids, vocab_size=model.config.text.vocab_size)
    return _run(model, prompt, sampling, sampler, stop_ids, context - length, on_prefill)


def check_context(length: int, context: int) -> None:
    """Refuse a prompt of so many tokens that leaves no room for one more.

    Raises:
        ContextError: with both numbers.
    """
    if length >= context:
        raise ContextError(
            f"the prompt has {length} tokens and the context holds {context}; "
            "shorten it, or give a larger context",
            needed=length + 1,
            limit=context,
        )


@torch.inference_mode()
def _run(
    model: Gemma4,
    prompt: Prompt,
    sampling: Sampling,
    sampler: Sampler,
    stop_ids: frozenset[int],
    room: int,
    on_prefill: Callable[[int, int], None] | None,
) -> Iterator[Choice | End]:
    """Generate; `room` is for how many tokens the context has place behind the prompt."""
    length = prompt.ids.shape[0]
    budget = room if sampling.max_tokens is None else min(room, sampling.max_tokens)
    kv = DenseKV(
        model.decoder.specs,
        num_requests=1,
        capacity=length + min(budget, EXPECTED_ANSWER),
        dtype=model.dtype,
        device=model.device,
    )
    logits = _prefill(model, prompt, kv, on_prefill)
    guard = LoopGuard() if sampling.loop_guard else None
    for done in range(budget):
        choice = sampler.choose(logits)
        if choice.id in stop_ids:
            yield End("stop", stop_id=choice.id)
            return
        yield choice
        period = guard.push(choice.id) if guard is not None else None
        if period is not None:
            yield End("loop", period=period)
            return
        if done + 1 < budget:
            logits = _decode(model, kv, choice.id, length + done)
    yield End("length" if budget < room or sampling.max_tokens == room else "context")


def _prefill(
    model: Gemma4, prompt: Prompt, kv: DenseKV, on_prefill: Callable[[int, int], None] | None
) -> torch.Tensor:
    """Run the prompt; logits [V] of its last token."""
    total = prompt.ids.shape[0]
    logits = torch.empty(0)
    for start, end in prompt.chunks(PREFILL_CHUNK):
        # Only the last chunk's last row has logits anyone wants; the others store keys and values.
        rows = [end - start - 1] if end == total else []
        wanted = torch.tensor(rows, dtype=torch.int64, device=model.device)
        output = model(prompt.batch(start, end, kv=kv, logit_rows=wanted))
        if on_prefill is not None:
            on_prefill(end, total)
        logits = output.logits
    return logits[0]


def _decode(model: Gemma4, kv: DenseKV, token: int, position: int) -> torch.Tensor:
    """One step; logits [V]."""
    one = torch.zeros(1, dtype=torch.int64, device=model.device)
    batch = Batch(ids=one + token, positions=one + position, lengths=(1,), logit_rows=one, kv=kv)
    return model(batch).logits[0]
