"""What the model sees: packed tokens of one or more requests, and who owns the keys and values.

Letters: T tokens, R rows whose logits are wanted, M soft tokens, D model width, N query heads,
K kv heads, H head dim, S keys.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..config import LayerSpec


class KV(Protocol):
    """Keys and values of the requests of a batch. Windows, sharing and spans stay behind `attend`."""

    def attend(
        self,
        spec: LayerSpec,
        query: Tensor,
        key: Tensor | None,
        value: Tensor | None,
        batch: "Batch",
    ) -> Tensor:
        """Store key and value [T, K, H] if given, then attend query [T, N, H] → [T, N, H].

        A layer that owns no keys gives None and reads those of `spec.kv_source`. After
        `Batch.select` the query has fewer rows than the keys stored in this pass.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One pass.

    Attributes:
        ids: int64 [T]. Soft tokens carry the id of their placeholder.
        positions: int64 [T], counted from 0 in each request.
        lengths: tokens of each request, in order; their sum is T.
        logit_rows: int64 [R], ascending packed indices of the rows whose logits are wanted.
        kv: of these requests, in the same order.
        spans: int64 [T], the number of the image a token belongs to, counted within its request, else −1.
            None: no images, or a size that sees them causally.
        soft_rows, soft_tokens: int64 [M] and [M, D]: soft tokens that replace the embedding of these rows.
    """

    ids: Tensor
    positions: Tensor
    lengths: tuple[int, ...]
    logit_rows: Tensor
    kv: KV
    spans: Tensor | None = None
    soft_rows: Tensor | None = None
    soft_tokens: Tensor | None = None

    def select(self, rows: Tensor) -> "Batch":
        """Keep these rows only, for layers that store nothing. `rows` are ascending."""
        ends = torch.tensor(self.lengths).cumsum(0)
        owners = torch.searchsorted(ends, rows.cpu(), right=True)
        counts = torch.bincount(owners, minlength=len(self.lengths))
        return replace(
            self,
            ids=self.ids[rows],
            positions=self.positions[rows],
            lengths=tuple(counts.tolist()),
            logit_rows=torch.arange(rows.numel(), device=rows.device),
            spans=None if self.spans is None else self.spans[rows],
            soft_rows=None,
            soft_tokens=None,
        )
