"""A weight that lies in several tensors of a compressed-tensors checkpoint."""

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from ...quant import Bytes, PackedWeight
from ..mapped_file import drop_pages
from ..mapped_tensor import check_rows


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedTensor:
    """A W4A16 weight; satisfies `StoredTensor`.

    Attributes:
        name: of the weight, without the ending `_packed`.
        shape: [out, in] or [E, out, in].
        weight: the parts, views of the mapped file, with the leading dimensions as one.
        stretches: uint8, where in the mapped file the parts lie.
    """

    name: str
    shape: tuple[int, ...]
    weight: PackedWeight
    stretches: tuple[Bytes, ...]

    @property
    def encoding(self) -> str:
        """Always "W4A16"."""
        return "W4A16"

    @property
    def nbytes(self) -> int:
        """Bytes of all parts in the file."""
        return sum(stretch.nbytes for stretch in self.stretches)

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Read the whole weight, float32 if not told otherwise; see `StoredTensor.read`.

        The file's pages leave memory afterwards; the parts are nowhere changed in place.
        """
        values = self.weight.dequantize(dtype or torch.float32).view(self.shape)
        self.let_go()
        return values

    def let_go(self) -> None:
        """The file's pages leave memory until they are read again."""
        for stretch in self.stretches:
            drop_pages(stretch)

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Read rows of the first dimension; see `StoredTensor.rows`.

        Raises:
            InputError: a row that does not exist.
        """
        flat = index.reshape(-1).to("cpu", torch.int64)
        check_rows(self.name, flat, self.shape[0])
        inner = prod(self.shape[1:-1])
        matrix_rows = (flat[:, None] * inner + torch.arange(inner)).flatten()
        found = self.weight.rows(matrix_rows, dtype or torch.float32)
        return found.view(*index.shape, *self.shape[1:])
