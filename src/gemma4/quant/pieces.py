"""Products with matrices that are decoded a few rows at a time. Letters: R rows, C columns, T tokens."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

ROWS_PER_PIECE = 4096
"""Rows decoded at a time: bounds the memory beyond the result."""


class StoredMatrix(Protocol):
    """A matrix [R, C] that lies as a file has it; `BlockMatrix` or `GroupedMatrix`."""

    @property
    def encoding(self) -> str:
        """How the values are stored."""
        ...

    @property
    def shape(self) -> tuple[int, int]:
        """[R, C]."""
        ...

    def decode(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        """Rows [start, stop), or to the end, as numbers."""
        ...

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of index [...] → [..., C]."""
        ...

    def multiply(self, x: Tensor) -> Tensor:
        """x [T, C] · rowsᵀ → [T, R]."""
        ...


def multiply_in_pieces(matrix: StoredMatrix, x: Tensor) -> Tensor:
    """x [T, C] · rowsᵀ → [T, R], decoding piece by piece."""
    pieces = [
        F.linear(x, matrix.decode(start, start + ROWS_PER_PIECE, x.dtype))
        for start in range(0, matrix.shape[0], ROWS_PER_PIECE)
    ]
    return torch.cat(pieces, dim=-1)
