"""W4A16 matrices as the native kernels read them: words of eight nibbles, and bfloat16 scales beside them.

Letters: R rows, C columns, G groups.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .pieces import multiply_in_pieces
from .w4a16 import PackedWeight

COLUMNS = 32
"""Columns that kernels take at a time: groups are multiples of it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GroupedMatrix:
    """A matrix [R, C]; make it with `grouped_matrix`.

    Attributes:
        weight: symmetric, its words usually a view of a mapped file.
    """

    weight: PackedWeight

    @property
    def encoding(self) -> str:
        """Always "W4A16"."""
        return "W4A16"

    @property
    def shape(self) -> tuple[int, int]:
        """[R, C]."""
        return len(self.weight.packed), self.weight.columns

    @property
    def group(self) -> int:
        """Columns that share a scale."""
        return self.weight.columns // self.weight.scale.shape[1]

    def decode(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        """Rows [start, stop) as [stop − start, C]."""
        stop = min(stop, len(self.weight.packed))
        return self.weight.rows(torch.arange(start, stop), dtype)

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of index [...] → [..., C]."""
        return self.weight.rows(index.flatten(), dtype).view(*index.shape, self.weight.columns)

    def multiply(self, x: Tensor) -> Tensor:
        """x [T, C] · rowsᵀ → [T, R], decoding piece by piece."""
        return multiply_in_pieces(self, x)


def grouped_matrix(weight: PackedWeight) -> GroupedMatrix | str:
    """The weight for the kernels; or, as a phrase, what they do not take of it.

    Scales of other types become bfloat16 where that changes none of them.
    """
    if (reason := obstacle(weight)) is not None:
        return reason
    scale = weight.scale.to(torch.bfloat16)
    if not torch.equal(scale.to(weight.scale.dtype), weight.scale):
        name = str(weight.scale.dtype).removeprefix("torch.")
        return f"whose {name} scales are no bfloat16 numbers"
    return GroupedMatrix(
        weight=replace(weight, packed=weight.packed.contiguous(), scale=scale.contiguous())
    )


def obstacle(weight: PackedWeight) -> str | None:
    """What the kernels do not take of the weight, as far as shapes tell; None: nothing."""
    columns, groups = weight.columns, weight.scale.shape[1]
    if weight.zero_point is not None:
        return "with zero points"
    if weight.group_index is not None:
        return "whose columns name their groups"
    if columns % groups or columns // groups % COLUMNS:
        return f"in groups of {columns // groups} columns, no multiple of {COLUMNS}"
    return None
