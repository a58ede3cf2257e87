"""Floats into W4A16: symmetric 4-bit groups, packed as compressed-tensors packs them (see w4a16.py)."""

import numpy as np
import torch
from torch import Tensor

from .blocks32 import Floats
from .encode_search import inverse_of, round_to, search_scale, squared_error
from .w4a16 import PER_WORD, PackedWeight

GROUP_SIZE = 32
"""Weights that share a scale."""

_LOW, _HIGH = -8, 7
# The numbers that a group's largest magnitude is put on. Scales stay positive: kernels expect it.
_ENDS = tuple(6.5 + step / 4 for step in range(9))


def encode_w4a16(values: Floats) -> PackedWeight:
    """Pack a matrix [R, C] of finite values in groups of 32, scales in bfloat16.

    C is a multiple of 32. A group's scale is the better of the one found by search and the one that
    puts its largest magnitude on 7.5.
    """
    rows, columns = values.shape
    groups = np.ascontiguousarray(values, dtype=np.float32).reshape(-1, GROUP_SIZE)
    peaks = np.abs(groups).max(axis=1, keepdims=True)
    found = _as_bfloat16(search_scale(groups, peaks, _LOW, _HIGH, _ENDS))
    plain = _as_bfloat16(peaks / np.float32(7.5))
    ours, theirs = (round_to(groups, inverse_of(scale), _LOW, _HIGH) for scale in (found, plain))
    better = squared_error(groups, found, ours) <= squared_error(groups, plain, theirs)
    scale = np.where(better, found, plain)
    nibbles = (np.where(better, ours, theirs) - _LOW).astype(np.uint32).reshape(-1, PER_WORD)
    shifts = np.arange(0, 4 * PER_WORD, 4, dtype=np.uint32)
    words = np.bitwise_or.reduce(nibbles << shifts, axis=1).view(np.int32)
    return PackedWeight(
        columns=columns,
        packed=torch.from_numpy(words).view(rows, columns // PER_WORD),
        scale=torch.from_numpy(scale).to(torch.bfloat16).view(rows, columns // GROUP_SIZE),
    )


def _as_bfloat16(values: Floats) -> Floats:
    rounded: Tensor = torch.from_numpy(np.ascontiguousarray(values)).to(torch.bfloat16)
    exact: Floats = rounded.float().numpy()
    return exact
