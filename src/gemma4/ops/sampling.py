"""From logits to a choice: penalties, the candidates that top-k, top-p and min-p leave, and the draw.

Letters: V vocab, C candidates.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

LEAST_TEMPERATURE = 1e-6  # below, only the likeliest token has a probability in float32 anyway
LEAST_SEARCHED = 8192  # scores from which on a search by groups pays
GROUP = 256
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
        the ids where neither top-k nor top-p is asked: a whole vocabulary is sorted in 50 ms.
    """
    if top_k or top_p < 1.0:
        values, ids = largest(logits, min(top_k, logits.numel()) if top_k else logits.numel())
    else:
        values, ids = logits, torch.arange(logits.numel(), device=logits.device)
    # From the likeliest down, so that a temperature near 0 neither overflows nor divides 0 by 0.
    scaled = (values - values.max()) / max(temperature, LEAST_TEMPERATURE)
    probabilities = torch.softmax(scaled, dim=0)
    keep = torch.ones_like(ids, dtype=torch.bool)
    if top_p < 1.0:
        before = probabilities.cumsum(0) - probabilities
        keep &= before < top_p
    if min_p > 0.0:
        keep &= probabilities >= min_p * probabilities.max()
    keep[values.argmax()] = True  # rounding, or top_p = 0, never leaves nothing
    kept = probabilities[keep]
    return ids[keep], kept / kept.sum()


def largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of [V] scores, largest first, and their ids; of equal ones the lower ids.

    Fewer than `count` where the others are −inf, as a grammar makes them.

    The `count` largest of the groups' maxima are all at least as large as the smallest of them, so what
    is below that is none of the `count` largest scores: few are left to be sorted.
    """
    size = scores.numel()
    if scores.device.type != "cpu" or size < LEAST_SEARCHED or count * 4 > size // GROUP:
        values, ids = scores.sort(descending=True, stable=True)
        return values[:count], ids[:count]
    whole = size // GROUP * GROUP
    maxima = scores[:whole].view(-1, GROUP).amax(1)
    least = np.float32(maxima.topk(count).values[-1].item())
    least = max(least, np.finfo(np.float32).min)  # −inf is never one of them
    numbers = scores.numpy()  # in which searching is five times as fast
    groups = np.flatnonzero(maxima.numpy() >= least)
    inside = np.flatnonzero(numbers[:whole].reshape(-1, GROUP)[groups] >= least)
    near = groups[inside // GROUP] * GROUP + inside % GROUP
    behind = whole + np.flatnonzero(numbers[whole:] >= least)
    ids = torch.from_numpy(np.concatenate((near, behind)))
    values, places = scores[ids].sort(descending=True, stable=True)
    return values[:count], ids[places[:count]]


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
