"""Modules that hold matrices laid out for the GPU's kernels. They compute with torch alone: right, and slow.

What runs fast reads the same matrices past them; these serve whoever calls the readable model.

Letters: E experts, R rows, C columns.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .packed import PackedMatrix, row_slice


class TiledLinear(nn.Module):
    """y = x · Wᵀ, the weight written out for each call. No parameters: moving leaves it where it is."""

    def __init__(self, matrix: PackedMatrix) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] → [..., R]."""
        return F.linear(x, self.matrix.dequantize().to(x.dtype))

    def extra_repr(self) -> str:
        """Size and bits, for printing."""
        return f"{self.matrix.columns} → {self.matrix.rows}, {self.matrix.bits} bits"


class TiledStack:
    """Matrices of all experts [E, R, C]; indexing writes one out.

    Args:
        dtype: that the model computes in.
    """

    def __init__(self, matrix: PackedMatrix, dtype: torch.dtype) -> None:
        self.matrix = matrix
        self.dtype = dtype

    def __getitem__(self, expert: int) -> Tensor:
        """The matrix [R, C] of one expert."""
        rows = self.matrix.rows
        return row_slice(self.matrix, expert * rows, rows).dequantize().to(self.dtype)
