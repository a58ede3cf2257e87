"""The best of many scores, in order, without sorting all of them.

Equal scores stand in the order of their ids, as in a stable sort. Letters: V vocab.
"""

import numpy as np
import torch
from torch import Tensor

LEAST_SEARCHED = 8192  # scores from which on a search by groups pays
GROUP = 256
LEAST_SPARE = 1e-5  # less may be lost in rounding


def descending(scores: Tensor) -> Tensor:
    """Ids int64 that sort [V] scores, largest first; of equal ones the lower ids first.

    A float32 and its place make one whole number, and NumPy sorts those with vector instructions: 262,144
    in 1 ms, where a stable sort of the floats takes 20.
    """
    if scores.device.type != "cpu" or scores.dtype is not torch.float32:
        return scores.sort(descending=True, stable=True).indices
    bits = (scores.numpy() + np.float32(0)).view(np.int32)  # −0 is 0
    bits ^= (bits >> 31) & np.int32(0x7FFF_FFFF)  # below 0 the larger number has the smaller bits
    keys = (~bits).astype(np.int64) << 32
    keys |= np.arange(len(keys))
    keys.sort()
    keys &= 0xFFFF_FFFF
    return torch.from_numpy(keys)


def largest(scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The largest of [V] scores, largest first, and their ids; of equal ones the lower ids.

    Fewer than `count` where the others are −inf, as a grammar makes them.

    The `count` largest of the groups' maxima are all at least as large as the smallest of them, so what
    is below that is none of the `count` largest scores: few are left to be sorted.
    """
    size = scores.numel()
    if scores.device.type != "cpu" or size < LEAST_SEARCHED or count * 4 > size // GROUP:
        ids = descending(scores)[:count]
        return scores[ids], ids
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
    values = scores[ids]
    places = descending(values)[:count]
    return values[places], ids[places]


def reaching(scores: Tensor, probabilities: Tensor, share: float) -> Tensor:
    """Ids int64, largest score first, that hold `share` of the probability, and a few behind them.

    They are the first of a whole sort. Only tokens above some probability are sorted: the highest tried that
    leaves out no more than half of what may be. The last one tried does: V tokens below a Vth of it.

    Args:
        scores: float32 [V]. probabilities: float32 [V], of these scores; they sum to 1.
    """
    spare = (1.0 - share) / 2
    if spare < LEAST_SPARE:
        return descending(scores)
    numbers = probabilities.cpu().numpy()
    for parts in (2**6, 2**12, scores.numel()):
        near = np.flatnonzero(numbers >= spare / parts)
        if numbers[near].sum(dtype=np.float64) >= share + spare:
            break
    ids = torch.from_numpy(near).to(scores.device)
    return ids[descending(scores[ids])]
