"""Token embeddings: a table, its scaled look-up, and the table as head. Letters: V vocab, D model width."""

import math
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TokenTable(Protocol):
    """An embedding [V, D] that is also the head; `TableEmbedding` or `quant.PackedTable`."""

    @property
    def dtype(self) -> torch.dtype:
        """Of its rows."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its rows come from."""
        ...

    def lookup(self, ids: Tensor) -> Tensor:
        """Rows of ids [T] as they are stored, [T, D]."""
        ...

    def project(self, hidden: Tensor) -> Tensor:
        """hidden [R, D] → scores [R, V]."""
        ...


class TableEmbedding(nn.Module):
    """A table [V, D] held in memory; the loader may put one in its place that stays in its file."""

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_rows, width))

    @property
    def dtype(self) -> torch.dtype:
        """Of the table."""
        return self.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the table is."""
        return self.weight.device

    def forward(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of ids [...] as [..., D] in the dtype asked for."""
        return self.weight[ids].to(dtype)

    def lookup(self, ids: Tensor) -> Tensor:
        """Rows of ids [T] as they are stored, [T, D]."""
        return self.weight[ids]

    def project(self, hidden: Tensor) -> Tensor:
        """hidden [R, D] → scores [R, V]."""
        return F.linear(hidden, self.weight)


def embed_tokens(ids: Tensor, table: TokenTable) -> Tensor:
    """Rows of the table times √D, the factor rounded to the table's dtype first, as the reference does."""
    rows = table.lookup(ids)
    scale = torch.tensor(math.sqrt(rows.shape[-1]), dtype=rows.dtype)
    return rows * scale.to(rows.device)
