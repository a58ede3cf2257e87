"""W4A16: groups of 4-bit weights with one scale each, as compressed-tensors packs them.

Eight weights lie in an int32, the first in the lowest four bits, stored with 8 added. A group of
`columns / groups` neighbours in a row shares a scale, or the columns are assigned to groups one by
one. Zero points, if any, are packed the same way, but eight rows to an int32.

Letters: R rows, C columns, G groups.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

_OFFSET = 8  # stored nibbles are 0 … 15 for −8 … 7
PER_WORD = 8  # weights in an int32
# Weights unpacked at a time: bounds the memory beyond the result to about 10 MB.
_WEIGHTS_PER_PIECE = 1 << 20


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedWeight:
    """A packed matrix.

    Attributes:
        columns: C; the last word of a row may be partly filled.
        packed: int32 [R, ⌈C / 8⌉].
        scale: [R, G], a float type.
        zero_point: int32 [⌈R / 8⌉, G] or None for symmetric weights.
        group_index: int64 [C], the group of each column, or None for C / G neighbours each.
    """

    columns: int
    packed: Tensor
    scale: Tensor
    zero_point: Tensor | None = None
    group_index: Tensor | None = None

    def dequantize(self, dtype: torch.dtype = torch.float32) -> Tensor:
        """Unpack the whole matrix: [R, C]."""
        result = torch.empty(len(self.packed), self.columns, dtype=dtype)
        step = max(1, _WEIGHTS_PER_PIECE // max(1, self.columns))
        for start in range(0, len(result), step):
            piece = torch.arange(start, min(start + step, len(result)))
            result[start : start + step] = self._rows(piece)
        return result

    def rows(self, index: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Unpack these rows: index int64 [n] → [n, C]."""
        return self._rows(index).to(dtype)

    def _rows(self, index: Tensor) -> Tensor:
        """(q − zero point) · scale in float32: int4 times a 16-bit float is exact there."""
        nibbles = unpack_nibbles(self.packed[index])[:, : self.columns]
        scale = self._per_column(self.scale[index].float())
        if self.zero_point is None:
            return _times(nibbles - _OFFSET, scale)
        shift = (index % PER_WORD * 4)[:, None]
        zero = (self.zero_point[index // PER_WORD] >> shift) & 15  # [n, G]; both are offset by 8
        return _times(nibbles - self._per_column(zero.to(torch.int8)), scale)

    def _per_column(self, per_group: Tensor) -> Tensor:
        """Spread values of groups over their columns: [n, G] → [n, C]."""
        if self.group_index is not None:
            return per_group[:, self.group_index]
        groups = per_group.shape[1]
        if groups == 1:
            return per_group
        return per_group.repeat_interleave(self.columns // groups, dim=1)


def unpack_nibbles(words: Tensor) -> Tensor:
    """Unpack int32 [n, w] into its nibbles, lowest first: int8 [n, 8 · w], 0 … 15."""
    octets = words.contiguous().view(torch.uint8)  # little-endian: lowest byte first
    nibbles = torch.stack([octets & 15, octets >> 4], dim=-1)  # [n, 4 · w, 2]
    return nibbles.view(torch.int8).flatten(1)


def _times(weights: Tensor, scale: Tensor) -> Tensor:
    return weights.float() * scale
