"""A stored tensor a few rows at a time, so that no tensor has to fit in memory.

Rows are those of the last dimension: an [E, out, in] tensor has E · out of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ...quant import Bytes, dequantize
from ..huggingface.packed_tensor import PackedTensor
from ..mapped_file import drop_pages, expect_whole_read
from ..mapped_tensor import MappedTensor
from ..source import StoredTensor

WEIGHTS_AT_ONCE = 1 << 22
"""Values of a slice, unless a single row is longer: 16 MB in float32."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slice:
    """Rows of a tensor.

    Attributes:
        values: [r, C], of the type they are stored in, float32 where that is blocks.
        raw: the stored bytes uint8 [r, bytes_per_row] where the tensor lies in one stretch of a file.
    """

    values: Tensor
    raw: Bytes | None = None


class RowReader:
    """Reads stretches of rows; pages of the file leave memory after each.

    A tensor that is converted on reading, or joined of parts, is read whole at the first stretch and
    let go after the last row.
    """

    def __init__(self, stored: StoredTensor) -> None:
        self._stored = stored
        self.columns = stored.shape[-1] if stored.shape else 1
        self.rows = prod(stored.shape[:-1])
        self._whole: Tensor | None = None

    def slices(self, start: int = 0, stop: int | None = None) -> Iterator[Slice]:
        """Rows [start, stop) in order, default all, in stretches of at most `WEIGHTS_AT_ONCE`."""
        stop = self.rows if stop is None else stop
        step = max(1, WEIGHTS_AT_ONCE // self.columns)
        for first in range(start, stop, step):
            yield self._read(first, min(first + step, stop))
        if stop == self.rows:
            self._let_go()

    def _read(self, start: int, stop: int) -> Slice:
        match self._stored:
            case MappedTensor():
                return _mapped(self._stored, start, stop)
            case PackedTensor():
                return Slice(values=self._stored.weight.rows(torch.arange(start, stop)))
            case _:
                if self._whole is None:
                    self._whole = self._stored.read().reshape(self.rows, self.columns)
                return Slice(values=self._whole[start:stop])

    def _let_go(self) -> None:
        self._whole = None
        if isinstance(self._stored, PackedTensor):
            self._stored.let_go()


def slices_of(values: Tensor) -> Iterator[Slice]:
    """A tensor in memory, a few rows at a time."""
    matrix = values.reshape(-1, values.shape[-1] if values.shape else 1)
    step = max(1, WEIGHTS_AT_ONCE // matrix.shape[1])
    for start in range(0, len(matrix), step):
        yield Slice(values=matrix[start : start + step])


def _mapped(stored: MappedTensor, start: int, stop: int) -> Slice:
    """Rows [start, stop), copied out of the file."""
    expect_whole_read(stored.data)
    mapped = stored.raw[start:stop]
    raw = mapped.copy()
    drop_pages(mapped.reshape(-1))
    if stored.format.dtype is None:
        return Slice(values=dequantize(raw, stored.format), raw=raw)
    values = torch.from_numpy(raw.reshape(-1)).view(stored.format.dtype)
    return Slice(values=values.view(len(raw), -1), raw=raw)
