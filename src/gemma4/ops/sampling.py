"""From logits to a choice: penalties, the candidates that top-k, top-p and min-p leave, and the draw.

Letters: V vocab, C candidates.
"""

import torch
from torch import Tensor

LEAST_TEMPERATURE = 1e-6  # below, only the likeliest token has a probability in float32 anyway
# SplitMix64 (Steele, Lea, Flood 2014): the step of its counter and the factors of its mixing.
_GAMMA = 0x9E3779B97F4A7C15 - 2**64
_FACTORS = ((30, 0xBF58476D1CE4E5B9 - 2**64), (27, 0x94D049BB133111EB - 2**64))


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
        values, ids = logits.topk(min(top_k, logits.numel()) if top_k else logits.numel())  # sorted
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
    key = _mix(_mix(torch.tensor(_signed(seed))) + step)
    bits = (_mix(key + (ids + 1) * _GAMMA) >> 11) & (2**53 - 1)
    return -torch.log((bits.double() + 0.5) * 2.0**-53)


def _mix(bits: Tensor) -> Tensor:
    """Scramble int64 taken as 64 bits; products wrap around."""
    for shift, factor in _FACTORS:
        bits = (bits ^ _shifted(bits, shift)) * factor
    return bits ^ _shifted(bits, 31)


def _shifted(bits: Tensor, count: int) -> Tensor:
    return (bits >> count) & (2 ** (64 - count) - 1)


def _signed(number: int) -> int:
    """The whole number whose lowest 64 bits are these, as int64 has it."""
    return (number + 2**63) % 2**64 - 2**63
