"""Keys and values in pages: the storage of all requests, and the readable way to attend over it.

Letters: T tokens, S keys, K kv heads, H head dim, W window, L layers of a group.

    keys of a group      [pages, L, K, H, 32]   the tokens of a page are the lanes
    values of a group    [pages, L, K, 32, H]
    scales, 8 bits only  [pages, L, K, 32]      one for each token and head, of keys and of values
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ..config import PAGE_TOKENS, KVGroup, LayerSpec
from .batch import Batch
from .kv import VisibleKeys, attend_each
from .page_table import PageTable, blocks_of, first_kept_block

KV_DTYPES: Final = (torch.float32, torch.float16, torch.bfloat16, torch.int8)
INT8_LIMIT: Final = 127


class PageStorage:
    """The pages of all requests. Memory is taken as it is first written; nothing is cleared.

    Attributes:
        keys, values: for each group; see above. A lane that no token was written to holds anything.
        key_scales, value_scales: float32 for each group; empty unless the dtype is int8, where a number
            is stored as round(number / scale) with scale = absmax / 127 over the head.
    """

    def __init__(
        self,
        groups: tuple[KVGroup, ...],
        num_pages: Sequence[int],
        *,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        assert dtype in KV_DTYPES, f"keys and values cannot be kept as {dtype}"
        self.groups = groups
        self.num_pages = tuple(num_pages)
        self.dtype = dtype
        self.device = device
        shapes = [
            (pages, len(group.layers), group.num_kv_heads)
            for group, pages in zip(groups, num_pages, strict=True)
        ]
        widths = [group.head_dim for group in groups]

        def empty(*shape: int, dtype: torch.dtype = dtype) -> Tensor:
            return torch.empty(shape, dtype=dtype, device=device)

        self.keys = tuple(
            empty(*s, width, PAGE_TOKENS) for s, width in zip(shapes, widths, strict=True)
        )
        self.values = tuple(
            empty(*s, PAGE_TOKENS, width) for s, width in zip(shapes, widths, strict=True)
        )
        scaled = shapes if dtype is torch.int8 else []
        self.key_scales = tuple(empty(*s, PAGE_TOKENS, dtype=torch.float32) for s in scaled)
        self.value_scales = tuple(empty(*s, PAGE_TOKENS, dtype=torch.float32) for s in scaled)
        self._places = {
            layer: (number, row)
            for number, group in enumerate(groups)
            for row, layer in enumerate(group.layers)
        }

    def place(self, layer: int) -> tuple[int, int]:
        """Number of the group that a layer's keys lie in, and its row there."""
        return self._places[layer]

    def write(self, layer: int, pages: Tensor, slots: Tensor, key: Tensor, value: Tensor) -> None:
        """Put keys and values [T, K, H] into slots int64 [T] of pages int64 [T]."""
        number, row = self.place(layer)
        if self.dtype is torch.int8:
            key, self.key_scales[number][pages, row, :, slots] = _to_int8(key)
            value, self.value_scales[number][pages, row, :, slots] = _to_int8(value)
        self.keys[number][pages, row, :, :, slots] = key.to(self.dtype)
        self.values[number][pages, row, :, slots] = value.to(self.dtype)

    def read(self, layer: int, pages: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """All lanes of pages int64 [n] in turn: keys and values [32·n, K, H]."""
        number, row = self.place(layer)
        scales = [part[number] for part in (self.key_scales, self.value_scales) if part]

        def in_order(lanes: Tensor, scales: Tensor | None) -> Tensor:  # [n, 32, K, H]
            if scales is not None:
                lanes = lanes * scales[pages, row].transpose(1, 2)[..., None]
            return lanes.to(dtype).flatten(0, 1)

        # One after the other, so that the lanes of one are gone when those of the other come.
        key = in_order(
            self.keys[number][pages, row].permute(0, 3, 1, 2), scales[0] if scales else None
        )
        value = in_order(
            self.values[number][pages, row].permute(0, 2, 1, 3), scales[1] if scales else None
        )
        return key, value


def _to_int8(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers up to ±127 and their scales [T, K] of [T, K, H]."""
    numbers = numbers.float()
    scales = numbers.abs().amax(-1) / INT8_LIMIT
    divisors = torch.where(scales > 0, scales, 1.0)
    return torch.round(numbers / divisors[..., None]), scales


@dataclass(frozen=True, slots=True)
class _Lanes:
    """Where a group's rows of one pass go, int64 [T] each, and what each request's queries read."""

    pages: Tensor
    slots: Tensor
    reads: tuple["_Read", ...]


@dataclass(frozen=True, slots=True)
class _Read:
    """Pages int64 [n] of one request, and how many of their lanes count, from which position on."""

    pages: Tensor
    first: int
    num_keys: int


class PagedKV:
    """One pass over the pages of the requests of a batch.

    Make a new one for each pass. The tables have room for the pass's tokens; whoever runs passes moves
    their `length` afterwards. A kernel that reads the storage by pointer needs `storage`, `tables` and
    the batch's positions and nothing else.
    """

    def __init__(self, storage: PageStorage, tables: Sequence[PageTable]) -> None:
        self.storage = storage
        self.tables = tuple(tables)
        self._lanes: dict[int, _Lanes] = {}
        # Of each group what its last layer read: the layers that share look there.
        self._visible: dict[int, tuple[int, list[VisibleKeys]]] = {}
        self._spans: tuple[Tensor, ...] | None = None

    def attend(
        self, spec: LayerSpec, query: Tensor, key: Tensor | None, value: Tensor | None, batch: Batch
    ) -> Tensor:
        """See `KV.attend`."""
        source = spec.kv_source
        group, _ = self.storage.place(source)
        lanes = self._plan(group, batch)
        if key is not None and value is not None:
            self.storage.write(source, lanes.pages, lanes.slots, key, value)
        if key is not None or self._visible[group][0] != source:
            self._visible.pop(group, None)  # its memory first
            read = [self._read(source, one, query.dtype) for one in lanes.reads]
            self._visible[group] = source, read
        keys = self._visible[group][1]
        return attend_each(spec, query, keys, batch, self._key_spans(keys))

    def stored(self, layer: int, request: int, dtype: torch.dtype | None = None) -> VisibleKeys:
        """What a layer keeps of a request up to its table's length; a drafter reads it in its dtype.

        None: as stored, 8 bits as float32.
        """
        group, _ = self.storage.place(layer)
        length = self.tables[request].length
        read = self._range(group, self.tables[request], length, length)
        if dtype is None:
            dtype = torch.float32 if self.storage.dtype is torch.int8 else self.storage.dtype
        return self._read(layer, read, dtype)

    def check(self) -> None:
        """The tables fit the storage, and no two of these requests write to one page."""
        for table in self.tables:
            table.check(self.storage.groups)
        for number, pages in enumerate(self.storage.num_pages):
            for table in self.tables:
                assert all(-1 <= page < pages for page in table.pages[number])
            open_pages = [
                page
                for table in self.tables
                for page in table.pages[number][table.length // PAGE_TOKENS :]
            ]
            assert len(set(open_pages)) == len(open_pages), "two requests write to one page"

    def _plan(self, group: int, batch: Batch) -> _Lanes:
        """Where this pass writes and reads, worked out once for each group by its first layer."""
        if group not in self._lanes:
            positions = batch.positions.cpu().split(batch.lengths)
            self._spans = None if batch.spans is None else batch.spans.split(batch.lengths)
            pages = torch.cat(
                [
                    torch.tensor(table.pages[group], dtype=torch.int64)[rows // PAGE_TOKENS]
                    for table, rows in zip(self.tables, positions, strict=True)
                ]
            )
            reads = [
                self._range(group, table, int(rows[0]), int(rows[-1]) + 1)
                if rows.numel()
                else self._range(group, table, 0, 0)
                for table, rows in zip(self.tables, positions, strict=True)
            ]
            self._lanes[group] = _Lanes(
                pages.to(self.storage.device), batch.positions % PAGE_TOKENS, tuple(reads)
            )
        return self._lanes[group]

    def _range(self, group: int, table: PageTable, start: int, end: int) -> _Read:
        """The pages that queries from `start` on may see, the last key at end − 1."""
        low = first_kept_block(self.storage.groups[group], start)
        pages = table.pages[group][low : blocks_of(end)]
        first = low * PAGE_TOKENS
        return _Read(
            torch.tensor(pages, dtype=torch.int64, device=self.storage.device), first, end - first
        )

    def _read(self, layer: int, read: _Read, dtype: torch.dtype) -> VisibleKeys:
        key, value = self.storage.read(layer, read.pages, dtype)
        return VisibleKeys(key[: read.num_keys], value[: read.num_keys], read.first)

    def _key_spans(self, keys: list[VisibleKeys]) -> list[Tensor] | None:
        """Span of each visible key: −1 for earlier passes, for no pass cuts an image."""
        if self._spans is None:
            return None
        return [
            torch.cat((spans.new_full((visible.key.shape[0] - spans.shape[0],), -1), spans))
            for spans, visible in zip(self._spans, keys, strict=True)
        ]
