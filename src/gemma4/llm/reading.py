"""Texts that are read and not answered: vectors, and how likely each token was.

Both are generators that do one pass over the model for each `next`, so that whoever runs them on the
engine's thread can let others have their turn between two passes.

Letters: T tokens, D model width, V vocab.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..engine.hidden_states import HiddenStates
from .events import TokenLogprob
from .llm import LLM, LOGIT_ROWS

POOLING = "mean of the final hidden states of all tokens, scaled to length 1"


def embeddings(
    llm: LLM, texts: Sequence[Sequence[int]], *, dimensions: int | None = None
) -> Iterator[Tensor | None]:
    """A vector float32 [D] of length 1 for each text, in order; None after a pass that ended no text.

    Args:
        texts: as ids, each within the context.
        dimensions: the first so many numbers, scaled to length 1 again; None: all.
    """
    states = _states(llm, max(map(len, texts)))
    for ids in texts:
        total = torch.zeros(llm.config.text.hidden_size, dtype=torch.float64)
        for hidden in states.read(ids):
            total += hidden.double().sum(0).cpu()
            yield None
        vector = total[:dimensions] / len(ids)
        yield (vector / vector.norm()).float()


def token_logprobs(llm: LLM, ids: Sequence[int], *, top: int = 0) -> Iterator[list[TokenLogprob]]:
    """Of each token but the first, how likely the model held it; as many as a pass brings.

    Args:
        top: how many of the likeliest in each place.
    """
    states = _states(llm, len(ids))
    done = 0
    for hidden in states.read(ids):
        found: list[TokenLogprob] = []
        for start in range(0, len(hidden), LOGIT_ROWS):
            rows = hidden[start : start + LOGIT_ROWS]
            following = ids[done + 1 : done + 1 + len(rows)]
            found += _scored(llm, rows[: len(following)], following, top)
            done += len(rows)
        yield found


@torch.inference_mode()
def _scored(llm: LLM, hidden: Tensor, ids: Sequence[int], top: int) -> Iterator[TokenLogprob]:
    """What follows hidden states [T, D], scored."""
    if not ids:
        return
    scores = torch.log_softmax(llm.model.decoder.logits(hidden), dim=-1).cpu()  # [T, V]
    best = scores.topk(top)
    for row, id in enumerate(ids):
        pairs = zip(best.indices[row].tolist(), best.values[row].tolist(), strict=True)
        yield TokenLogprob(
            id=id,
            text=llm.tokenizer.decode([id]),
            logprob=float(scores[row, id]),
            top=tuple((one, llm.tokenizer.decode([one]), score) for one, score in pairs),
        )


def _states(llm: LLM, length: int) -> HiddenStates:
    return HiddenStates(
        llm.model,
        length=length,
        kv_dtype=llm.streams.engine.storage.dtype,
        kernels=llm.kernels,
        chunk=llm.streams.engine.limits.prefill_chunk,
    )
