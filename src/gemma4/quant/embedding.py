"""An embedding whose table stays on disk: a lookup reads the rows it needs and no more."""

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn


class RowTable(Protocol):
    """A table that gives rows; `weights.StoredTensor` is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """[V, D]."""
        ...

    @property
    def encoding(self) -> str:
        """How its values are stored."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes that they take."""
        ...

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Rows of the table: index [...] → [..., D]."""
        ...


@runtime_checkable
class ReleasableTable(Protocol):
    """A table in a mapped file; `weights.MappedTensor` is one."""

    def let_go(self) -> None:
        """Pages that were read leave memory."""
        ...


class MappedEmbedding(nn.Module):
    """Looks rows up in a table on disk, decoding them if they are quantized.

    It has no parameters and no state: saving and moving the model leave the table where it is.

    Args:
        table: [V, D].
        dtype: of the rows returned.
    """

    def __init__(self, table: RowTable, dtype: torch.dtype) -> None:
        super().__init__()
        self.table = table
        self.dtype = dtype

    def forward(self, ids: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Look ids [...] up → [..., D] on the device of the ids, in `dtype` or the table's default.

        Raises:
            InputError: an id outside 0 … V − 1.
        """
        return self.table.rows(ids, dtype or self.dtype).to(ids.device)

    def let_go(self) -> None:
        """Pages of the file that look-ups brought into memory leave it; for who reads rows by address."""
        if isinstance(self.table, ReleasableTable):
            self.table.let_go()

    def extra_repr(self) -> str:
        """Size, for printing."""
        return f"{' × '.join(map(str, self.table.shape))}, {self.dtype}, on disk"
