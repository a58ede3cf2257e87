"""A tensor whose bytes lie in one stretch of a mapped file, plain or in blocks."""

import weakref
from dataclasses import dataclass, field
from math import prod

import torch
from torch import Tensor

from ..errors import InputError
from ..quant import Bytes, TensorFormat, dequantize
from .mapped_file import drop_pages, expect_scattered_reads, expect_whole_read


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MappedTensor:
    """A stored tensor; satisfies `StoredTensor`.

    Attributes:
        name: as in the file.
        shape: [out, in], [V, D], [D] or [E, out, in], in numbers, not bytes.
        format: how the values are stored.
        data: uint8 [nbytes], a view of the mapped file.
    """

    name: str
    shape: tuple[int, ...]
    format: TensorFormat
    data: Bytes
    _given_out: list[weakref.ref[Bytes]] = field(default_factory=list, init=False, repr=False)

    @property
    def encoding(self) -> str:
        """The format's name."""
        return self.format.name

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.data.nbytes

    @property
    def raw(self) -> Bytes:
        """The stored bytes, uint8 [rows, bytes_per_row], without a copy.

        Rows are those of the last dimension: [E, out, in] has E · out of them.
        """
        rows = prod(self.shape[:-1])
        return self.data.reshape(rows, self.nbytes // rows if rows else 0)

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Read the whole tensor; see `StoredTensor.read`.

        Where a file's header leaves the numbers misaligned, also a plain tensor is copied. After a
        copy the file's pages leave memory, unless somebody holds a view of them.
        """
        expect_whole_read(self.data)
        if self.format.dtype is None:
            values = dequantize(self.raw, self.format, dtype or torch.float32).view(self.shape)
        else:
            values = self._plain(self.format.dtype)
            values = values if dtype is None else values.to(dtype)
        self._drop_pages()
        return values

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Read rows of the first dimension; see `StoredTensor.rows`.

        Raises:
            InputError: a row that does not exist.
        """
        flat = index.reshape(-1).to("cpu", torch.int64)
        check_rows(self.name, flat, self.shape[0] if self.shape else 0)
        expect_scattered_reads(self.data)
        found = self.data.reshape(self.shape[0], -1)[flat.numpy()]  # bytes, copied
        self._drop_pages()  # a table's rows would gather in memory, page by page
        shape = (*index.shape, *self.shape[1:])
        if self.format.dtype is not None:
            plain = torch.from_numpy(found.reshape(-1)).view(self.format.dtype)
            return plain.view(shape).to(dtype or plain.dtype)
        blocks = found.reshape(-1, self.format.row_bytes(self.shape[-1]))
        return dequantize(blocks, self.format, dtype or torch.float32).view(shape)

    def let_go(self) -> None:
        """The file's pages leave this process's memory until they are read again; views keep theirs."""
        self._drop_pages()

    def _plain(self, dtype: torch.dtype) -> Tensor:
        """The values as they lie in the file, without a copy where they are aligned."""
        aligned = self.data.ctypes.data % dtype.itemsize == 0
        data = self.data[:] if aligned else self.data.copy()
        if aligned:
            self._given_out[:] = [*self._views(), weakref.ref(data)]
        return torch.from_numpy(data).view(dtype).view(self.shape)

    def _views(self) -> list[weakref.ref[Bytes]]:
        """Those views of the file that a tensor still holds: what is written to them must stay."""
        return [view for view in self._given_out if view() is not None]

    def _drop_pages(self) -> None:
        if not self._views():
            drop_pages(self.data)


def check_rows(name: str, index: Tensor, limit: int) -> None:
    """Refuse a row outside 0 … limit − 1.

    Raises:
        InputError: with the first such row.
    """
    outside = index[(index < 0) | (index >= limit)]
    if outside.numel():
        raise InputError(
            f"row {int(outside[0])} of {name} does not exist: it has {limit} rows, from 0; "
            "check that the ids come from this model's tokenizer"
        )
