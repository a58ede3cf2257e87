"""A prompt as the model takes it: ids, soft tokens in their places, image spans, and how to cut it.

Letters: T tokens, M soft tokens, D model width.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.batch import KV, Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Ids int64 [T]; soft tokens [M, D] for the rows int64 [M]; spans int64 [T] or None for no images."""

    ids: Tensor
    soft_rows: Tensor | None = None
    soft_tokens: Tensor | None = None
    spans: Tensor | None = None

    def batch(self, start: int, end: int, *, kv: KV, logit_rows: Tensor) -> Batch:
        """The pass over tokens [start, end); `logit_rows` count from `start`."""
        soft_rows = soft_tokens = None
        if self.soft_rows is not None and self.soft_tokens is not None:
            inside = (self.soft_rows >= start) & (self.soft_rows < end)
            if bool(inside.any()):
                soft_rows, soft_tokens = self.soft_rows[inside] - start, self.soft_tokens[inside]
        return Batch(
            ids=self.ids[start:end],
            positions=torch.arange(start, end, device=self.ids.device),
            lengths=(end - start,),
            logit_rows=logit_rows,
            kv=kv,
            spans=None if self.spans is None else self.spans[start:end],
            soft_rows=soft_rows,
            soft_tokens=soft_tokens,
        )

    def chunks(self, size: int) -> Iterator[tuple[int, int]]:
        """Cut [0, T) into pieces of about `size` tokens, never through an image."""
        total = self.ids.shape[0]
        spans = None if self.spans is None else self.spans.tolist()
        start = 0
        while start < total:
            end = min(start + size, total)
            while spans is not None and end < total and 0 <= spans[end] == spans[end - 1]:
                end += 1
            yield start, end
            start = end
