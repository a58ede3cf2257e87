"""Matrices that stay as they lie in their file, in blocks or plain, and modules that compute with them.

What is here decodes pieces with torch and multiplies: right, and slow. Native kernels read the same bytes
where they are.

Letters: R rows, C columns, T tokens, V vocab, D model width, E experts.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .blocks32 import Bytes
from .dequantize import dequantize
from .formats import TensorFormat
from .pieces import StoredMatrix, multiply_in_pieces


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class BlockMatrix:
    """A matrix [R, C].

    Attributes:
        raw: uint8 [R, bytes of a row], usually a view of a mapped file.
        columns: C.
    """

    format: TensorFormat
    raw: Bytes
    columns: int

    @property
    def encoding(self) -> str:
        """The format's name."""
        return self.format.name

    @property
    def shape(self) -> tuple[int, int]:
        """[R, C]."""
        return len(self.raw), self.columns

    @property
    def address(self) -> int:
        """Where the first row begins."""
        return int(self.raw.ctypes.data)

    def decode(self, start: int, stop: int, dtype: torch.dtype) -> Tensor:
        """Rows [start, stop) as [stop − start, C]."""
        return self._decode(self.raw[start:stop], dtype)

    def rows(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of index [...] → [..., C]."""
        flat = index.reshape(-1).to("cpu", torch.int64).numpy()
        return self._decode(self.raw[flat], dtype).view(*index.shape, self.columns)

    def multiply(self, x: Tensor) -> Tensor:
        """x [T, C] · rowsᵀ → [T, R], decoding piece by piece."""
        return multiply_in_pieces(self, x)

    def _decode(self, raw: Bytes, dtype: torch.dtype) -> Tensor:
        if self.format.dtype is None:
            return dequantize(raw, self.format, dtype)
        plain = torch.from_numpy(np.array(raw))  # a copy: mapped bytes may not be aligned
        return plain.view(self.format.dtype).view(len(raw), self.columns).to(dtype)


class PackedLinear(nn.Module):
    """y = x · Wᵀ + b with a weight as its file has it: moving and saving leave the file alone."""

    def __init__(self, matrix: StoredMatrix, bias: nn.Parameter | None = None) -> None:
        super().__init__()
        self.matrix = matrix
        self.bias = bias  # [R]

    def forward(self, x: Tensor) -> Tensor:
        """x [..., C] → [..., R]."""
        y = self.matrix.multiply(x.reshape(-1, x.shape[-1])).view(*x.shape[:-1], -1)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def extra_repr(self) -> str:
        """Size and format, for printing."""
        rows, columns = self.matrix.shape
        return f"{columns} → {rows}, {self.matrix.encoding}"


class PackedTable(nn.Module):
    """A token embedding that is also the head, in blocks.

    Args:
        matrix: [V, D].
        dtype: that the model computes in.
    """

    def __init__(self, matrix: StoredMatrix, dtype: torch.dtype) -> None:
        super().__init__()
        self.matrix = matrix
        self.dtype = dtype
        self.device = torch.device("cpu")

    def lookup(self, ids: Tensor) -> Tensor:
        """Rows of ids [T] as they are stored, [T, D]."""
        return self.matrix.rows(ids, self.dtype)

    def project(self, hidden: Tensor) -> Tensor:
        """hidden [R, D] → scores [R, V]."""
        return self.matrix.multiply(hidden)


class BlockStack:
    """Matrices of all experts [E, R, C], one above the other in a file; indexing decodes one."""

    def __init__(self, matrix: StoredMatrix, num_experts: int, dtype: torch.dtype) -> None:
        self.matrix = matrix
        self.rows_each = matrix.shape[0] // num_experts
        self.dtype = dtype

    def __getitem__(self, expert: int) -> Tensor:
        """The matrix [R, C] of one expert."""
        start = expert * self.rows_each
        return self.matrix.decode(start, start + self.rows_each, self.dtype)
