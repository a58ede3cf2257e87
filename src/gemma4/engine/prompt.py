"""A prompt as the model takes it: ids, soft tokens in their places, image spans.

Letters: T tokens, M soft tokens, D model width.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..model.batch import KV, Batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a request starts from.

    Attributes:
        ids: int64 [T].
        soft_rows, soft_tokens: int64 [M], ascending, and [M, D]: soft tokens and the rows they fill.
        media: digest and number of soft tokens of each medium (of a video: each frame), in their order.
        spans: int64 [T], the number of the image a token belongs to, else −1; None for no images, or a
            size that sees them causally.
    """

    ids: Tensor
    soft_rows: Tensor | None = None
    soft_tokens: Tensor | None = None
    media: tuple[tuple[bytes, int], ...] = ()
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
