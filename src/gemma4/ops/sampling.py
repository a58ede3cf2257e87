"""From logits to a choice: penalties, the candidates that top-k, top-p and min-p leave, and the draw.

Letters: V vocab, C candidates.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .likeliest import largest, reaching

LEAST_TEMPERATURE = 1e-6  # below, only the likeliest token has a probability in float32 anyway
# SplitMix64 (Steele, Lea, Flood 2014): the step of its counter and the factors of its mixing.
_GAMMA = 0x9E3779B97F4A7C15
_FACTORS = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))
_BITS = 2**64 - 1


def penalize(
    logits: Tensor,
    *,
    seen: Tensor,
    generated: Tensor,
    counts: Tensor,
    repetition: float,
    presence: float,
    frequency: float,
) -> Tensor:
    """Make tokens that were there before less likely.

    Args:
        logits: float32 [V].
        seen: int64 ids, prompt included, without repeats; `repetition` divides their positive logits
            and multiplies their negative ones.
        generated, counts: int64 ids that were generated, without repeats, and float32 how often.
        presence, frequency: subtracted once, and once for each time.
    """
    logits = logits.clone()
    if repetition != 1.0:
        chosen = logits[seen]
        logits[seen] = torch.where(chosen > 0, chosen / repetition, chosen * repetition)
    logits[generated] -= presence + frequency * counts
    return logits


def candidates(
    logits: Tensor, *, temperature: float, top_k: int, top_p: float, min_p: float
) -> tuple[Tensor, Tensor]:
    """The tokens to draw from.

    Args:
        logits: float32 [V]. `temperature` is above 0.
        top_k: 0 keeps all. top_p: the least set whose probability reaches it, 1 keeps all.
        min_p: keeps what has at least this share of the likeliest token's probability.

    Returns:
        Ids int64 [C] and probabilities float32 [C] that sum to 1; likeliest first, but in the order of
        the ids where neither top-k nor top-p is asked.
    """
    if top_k:
        values, ids = largest(logits, min(top_k, logits.numel()))
        probabilities = _probabilities(values, temperature)
    else:
        probabilities = _probabilities(logits, temperature)
        if top_p < 1.0:
            ids = reaching(logits, probabilities, top_p)
            values, probabilities = logits[ids], probabilities[ids]
        else:
            values, ids = logits, torch.arange(logits.numel(), device=logits.device)
    keep = torch.ones_like(ids, dtype=torch.bool)
    if top_p < 1.0:
        before = probabilities.cumsum(0, dtype=torch.float64) - probabilities
        keep &= before.float() < top_p
    if min_p > 0.0:
        keep &= probabilities >= min_p * probabilities.max()
    keep[values.argmax()] = True  # rounding, or top_p = 0, never leaves nothing
    kept = probabilities[keep]
    return ids[keep], kept / kept.sum()


def _probabilities(values: Tensor, temperature: float) -> Tensor:
    """A softmax whose sum is of float64, so that it hangs on no order.

    From the likeliest down: a temperature near 0 neither overflows nor divides 0 by 0.
    """
    odds = values - values.max()  # the only new numbers of a whole vocabulary
    odds.div_(max(temperature, LEAST_TEMPERATURE)).exp_()
    return odds.div_(odds.sum(dtype=torch.float64))


def draw(ids: Tensor, probabilities: Tensor, *, seed: int, step: int) -> int:
    """Draw one of the ids int64 [C] with these probabilities [C].

    Each id has a random time of its own, exponential, that depends on seed, step and id alone; the
    first to come, at its own rate, is drawn. So two distributions that are alike mostly give the same
    id for the same seed and step: how a drafter guesses what its target will draw.
    """
    times = exponentials(ids, seed=seed, step=step) / probabilities.double()
    return int(ids[times.argmin()])


def exponentials(ids: Tensor, *, seed: int, step: int) -> Tensor:
    """Exponential variates of mean 1, float64 [C], each a function of seed, step and id int64 [C]."""
    key = _mix_number(_mix_number(seed & _BITS) + step & _BITS)
    bits = ids.cpu().numpy().astype(np.uint64)
    bits += np.uint64(1)
    bits *= np.uint64(_GAMMA)
    bits += np.uint64(key)
    _mix(bits)
    bits >>= np.uint64(11)
    uniform = torch.from_numpy(bits.view(np.int64)).double()  # below 2^53: the sign is free
    return uniform.add_(0.5).mul_(2.0**-53).log_().neg_().to(ids.device)


def _mix(bits: NDArray[np.uint64]) -> None:
    """Scramble 64 bits where they lie; products wrap around."""
    for shift, factor in _FACTORS:
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    bits ^= bits >> np.uint64(31)


def _mix_number(bits: int) -> int:
    """The same of one number."""
    for shift, factor in _FACTORS:
        bits = (bits ^ (bits >> shift)) * factor & _BITS
    return bits ^ (bits >> 31)
