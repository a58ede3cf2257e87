"""Token embeddings: a table, and the decoder's scaled look-up in it. Letters: V vocab, D model width."""

import math

import torch
from torch import Tensor, nn


class TableEmbedding(nn.Module):
    """A table [V, D] held in memory; the loader may put one mapped from disk in its place."""

    def __init__(self, num_rows: int, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(num_rows, width))

    def forward(self, ids: Tensor, dtype: torch.dtype) -> Tensor:
        """Rows of ids [...] as [..., D] in the dtype asked for."""
        return self.weight[ids].to(dtype)


def embed_tokens(ids: Tensor, table: Tensor) -> Tensor:
    """Rows of the table times √D, the factor rounded to the table's dtype first, as the reference does."""
    scale = torch.tensor(math.sqrt(table.shape[-1]), dtype=table.dtype)
    return table[ids] * scale.to(table.device)
