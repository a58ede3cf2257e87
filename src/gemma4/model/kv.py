"""Keys and values without pages: `PassKV` for one pass, `DenseKV` for a conversation.

Letters: T queries, S keys, K kv heads, H head dim, W window.

What a request keeps for a layer after each pass:

    full layer      all keys            0 ............................. length
    sliding layer   the last W + 1                 length − W − 1 ..... length

Decoding needs W − 1 keys behind the new one; a drafter looks W + 1 back.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..config import LayerSpec
from ..ops.attention import attend
from .batch import Batch

SLACK = 128  # rows a sliding layer may append before it moves its window to the front


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


class DenseKV:
    """A growing buffer for each request and layer that owns keys and values.

    Args:
        specs: of the model's layers.
        num_requests: rows of the batches to come.
        capacity: tokens expected of a request; more is possible. On a CPU memory is only touched as
            it fills, a GPU gives it at once.
    """

    def __init__(
        self,
        specs: tuple[LayerSpec, ...],
        *,
        num_requests: int,
        capacity: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._buffers = {
            spec.index: [_Buffer(spec, capacity, dtype, device) for _ in range(num_requests)]
            for spec in specs
            if spec.owns_kv
        }
        self._sources = {spec.kv_source for spec in specs if not spec.owns_kv}
        self._visible: dict[int, list[VisibleKeys]] = {}
        self._num_requests = num_requests

    def length(self, request: int) -> int:
        """Tokens stored for a request."""
        return next(iter(self._buffers.values()))[request].length

    def stored(self, layer: int, request: int) -> VisibleKeys:
        """What a layer keeps of a request; a drafter reads it."""
        return self._buffers[layer][request].stored()

    @property
    def num_bytes(self) -> int:
        """Bytes of the rows in use; untouched capacity costs nothing."""
        return sum(buffer.num_bytes for row in self._buffers.values() for buffer in row)

    def attend(
        self, spec: LayerSpec, query: Tensor, key: Tensor | None, value: Tensor | None, batch: Batch
    ) -> Tensor:
        """See `KV.attend`."""
        if key is None or value is None:
            keys = self._visible[spec.kv_source]
        else:
            keys = [
                buffer.append(k, v)
                for buffer, k, v in zip(
                    self._buffers[spec.index],
                    key.split(batch.lengths),
                    value.split(batch.lengths),
                    strict=True,
                )
            ]
            if spec.index in self._sources:
                self._visible[spec.index] = keys
        return attend_each(spec, query, keys, batch, self._key_spans(batch, keys))

    def check(self) -> None:
        """Every layer of a request has seen the same tokens, and keeps what its window needs."""
        for request in range(self._num_requests):
            lengths = {row[request].length for row in self._buffers.values()}
            assert len(lengths) <= 1, (
                f"layers disagree on the length of request {request}: {lengths}"
            )
        for row in self._buffers.values():
            for buffer in row:
                buffer.check()

    @staticmethod
    def _key_spans(batch: Batch, keys: list[VisibleKeys]) -> list[Tensor] | None:
        """Span of each visible key: −1 for earlier passes, for no pass cuts an image."""
        if batch.spans is None:
            return None
        return [
            torch.cat((spans.new_full((visible.key.shape[0] - spans.shape[0],), -1), spans))
            for spans, visible in zip(batch.spans.split(batch.lengths), keys, strict=True)
        ]


class _Buffer:
    """Keys and values of one request in one layer. Rows [0, used) hold positions [length − used, length)."""

    def __init__(
        self, spec: LayerSpec, capacity: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        self._keep = None if spec.window is None else spec.window + 1
        rows = capacity if self._keep is None else min(capacity, self._keep + SLACK)
        shape = (max(rows, 1), spec.num_kv_heads, spec.head_dim)
        self._key = torch.empty(shape, dtype=dtype, device=device)
        self._value = torch.empty(shape, dtype=dtype, device=device)
        self._used = 0
        self.length = 0

    def stored(self) -> VisibleKeys:
        """The rows in use."""
        used = self._used
        return VisibleKeys(self._key[:used], self._value[:used], self.length - used)

    @property
    def num_bytes(self) -> int:
        """Bytes of the rows in use, keys and values."""
        return 2 * self._used * self._key[0].numel() * self._key.element_size()

    def append(self, key: Tensor, value: Tensor) -> VisibleKeys:
        """Add rows; return all that this pass may see."""
        new = key.shape[0]
        if self._used + new > self._key.shape[0]:
            if self._keep is not None and self._keep + new > self._key.shape[0]:
                return self._append_long(key, value)
            self._make_room(new)
        self._key[self._used : self._used + new] = key
        self._value[self._used : self._used + new] = value
        self._used += new
        self.length += new
        return self.stored()

    def check(self) -> None:
        """Rows in use lie inside the buffer and cover the window."""
        assert 0 <= self._used <= min(self.length, self._key.shape[0])
        needed = self.length if self._keep is None else min(self.length, self._keep)
        assert self._used >= needed, f"{self._used} rows kept of {needed} needed"

    def _append_long(self, key: Tensor, value: Tensor) -> VisibleKeys:
        """A chunk longer than the window's buffer: show it whole for this pass, keep its end."""
        assert self._keep is not None
        whole_key = torch.cat((self._key[: self._used], key))
        whole_value = torch.cat((self._value[: self._used], value))
        first = self.length - self._used
        self.length += key.shape[0]
        self._used = min(self._keep, whole_key.shape[0])
        if self._key.shape[0] < self._used:
            self._resize(self._keep + SLACK)
        self._key[: self._used] = whole_key[-self._used :]
        self._value[: self._used] = whole_value[-self._used :]
        return VisibleKeys(whole_key, whole_value, first)

    def _make_room(self, new: int) -> None:
        if self._keep is None:
            self._resize(max(self._used + new, self._key.shape[0] * 5 // 4 + 256))
        else:  # move the window to the front
            keep = min(self._keep, self._used)
            self._key[:keep] = self._key[self._used - keep : self._used].clone()
            self._value[:keep] = self._value[self._used - keep : self._used].clone()
            self._used = keep

    def _resize(self, rows: int) -> None:
        for name in ("_key", "_value"):
            old: Tensor = getattr(self, name)
            grown = old.new_empty((rows, *old.shape[1:]))
            used = min(self._used, old.shape[0])
            grown[:used] = old[:used]
            setattr(self, name, grown)


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
