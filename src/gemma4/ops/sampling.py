"""From logits to a choice: penalties, then the candidates that top-k, top-p and min-p leave.

Letters: V vocab, C candidates.
"""

import torch
from torch import Tensor

LEAST_TEMPERATURE = 1e-6  # below, only the likeliest token has a probability in float32 anyway


def penalize(
    logits: Tensor,
    *,
    seen: Tensor,
    generated_counts: Tensor | None,
    repetition: float,
    presence: float,
    frequency: float,
) -> Tensor:
    """Make tokens that were there before less likely.

    Args:
        logits: float32 [V].
        seen: int64 ids, prompt included, without repeats; `repetition` divides their positive logits
            and multiplies their negative ones.
        generated_counts: float32 [V], how often each id was generated; None for never.
        presence, frequency: subtracted once, and once for each time.
    """
    if repetition != 1.0 and seen.numel():
        chosen = logits[seen]
        logits = logits.index_copy(
            0, seen, torch.where(chosen > 0, chosen / repetition, chosen * repetition)
        )
    if generated_counts is not None and (presence or frequency):
        logits = logits - presence * (generated_counts > 0).float() - frequency * generated_counts
    return logits


def candidates(
    logits: Tensor, *, temperature: float, top_k: int, top_p: float, min_p: float
) -> tuple[Tensor, Tensor]:
    """The tokens to draw from, likeliest first.

    Args:
        logits: float32 [V]. `temperature` is above 0.
        top_k: 0 keeps all. top_p: the least set whose probability reaches it, 1 keeps all.
        min_p: keeps what has at least this share of the likeliest token's probability.

    Returns:
        Ids int64 [C] and probabilities float32 [C] that sum to 1.
    """
    count = min(top_k, logits.numel()) if top_k else logits.numel()
    values, ids = logits.topk(count)  # sorted
    # From the likeliest down, so that a temperature near 0 neither overflows nor divides 0 by 0.
    probabilities = torch.softmax((values - values[0]) / max(temperature, LEAST_TEMPERATURE), dim=0)
    keep = torch.ones_like(ids, dtype=torch.bool)
    if top_p < 1.0:
        before = probabilities.cumsum(0) - probabilities
        keep &= before < top_p
    if min_p > 0.0:
        keep &= probabilities >= min_p * probabilities[0]
    keep[0] = True  # rounding, or top_p = 0, never leaves nothing
    kept = probabilities[keep]
    return ids[keep], kept / kept.sum()
