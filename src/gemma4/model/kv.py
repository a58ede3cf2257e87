"""Keys and values of one pass, and attention of each request over its own.

Letters: T queries, S keys, N query heads, K kv heads, H head dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import LayerSpec
from ..ops.attention import attend
from .batch import Batch


@dataclass(frozen=True, slots=True)
class VisibleKeys:
    """Keys and values [S, K, H] of one request and layer; the first is at position `first`."""

    key: Tensor
    value: Tensor
    first: int


class PassKV:
    """Whole prompts in one pass: kept is only what the sharing layers read. Autograd passes through."""

    def __init__(self, specs: tuple[LayerSpec, ...]) -> None:
        self._sources = {spec.kv_source for spec in specs if not spec.owns_kv}
        self._shared: dict[int, tuple[Tensor, Tensor]] = {}
        self._lengths: tuple[int, ...] = ()
        self._spans: Tensor | None = None

    def attend(
        self, spec: LayerSpec, query: Tensor, key: Tensor | None, value: Tensor | None, batch: Batch
    ) -> Tensor:
        """See `KV.attend`."""
        if key is None or value is None:
            key, value = self._shared[spec.kv_source]
        else:
            self._lengths, self._spans = batch.lengths, batch.spans
            if spec.index in self._sources:
                self._shared[spec.index] = key, value
        keys = [
            VisibleKeys(k, v, 0)
            for k, v in zip(key.split(self._lengths), value.split(self._lengths), strict=True)
        ]
        spans = None if self._spans is None else self._spans.split(self._lengths)
        return attend_each(spec, query, keys, batch, spans)


def attend_each(
    spec: LayerSpec,
    query: Tensor,
    keys: list[VisibleKeys],
    batch: Batch,
    key_spans: list[Tensor] | tuple[Tensor, ...] | None,
) -> Tensor:
    """Attention of each request over its own keys: query [T, N, H] → [T, N, H]."""
    queries = query.split(batch.lengths)
    positions = batch.positions.split(batch.lengths)
    query_spans = None if batch.spans is None else batch.spans.split(batch.lengths)
    bidirectional = query_spans is not None and key_spans is not None and spec.is_sliding
    outs = [
        attend(
            queries[i],
            visible.key,
            visible.value,
            query_positions=positions[i],
            first_key=visible.first,
            window=spec.window,
            scale=spec.attention_scale,
            query_spans=query_spans[i] if bidirectional and query_spans is not None else None,
            key_spans=key_spans[i] if bidirectional and key_spans is not None else None,
        )
        for i, visible in enumerate(keys)
        if queries[i].shape[0]
    ]
    return outs[0] if len(outs) == 1 else torch.cat(outs)
