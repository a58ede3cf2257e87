"""A batch as the native programs take it: addresses, and which tokens belong to which request."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...kernels.native import Native
from ..batch import Batch
from ..paged_kv import PagedKV


@dataclass(frozen=True, slots=True)
class HeldPass:
    """A native pass, and what keeps its addresses valid."""

    native_pass: Any  # gemma4.kernels._native.Pass
    held: tuple[object, ...]


def body_pass(native: Native, batch: Batch, ids: Tensor) -> HeldPass:
    """All tokens of the batch."""
    ends = None if batch.spans is None else span_ends(batch.spans, batch.positions, batch.lengths)
    ids, positions = ids.contiguous(), batch.positions.contiguous()
    return HeldPass(
        native.module.Pass(
            count=ids.numel(),
            runs=_runs(batch.lengths),
            ids=ids.data_ptr(),
            positions=positions.data_ptr(),
            span_ends=0 if ends is None else ends.data_ptr(),
            tables=_tables(batch),
        ),
        (ids, positions, ends),
    )


def tail_pass(native: Native, batch: Batch, ids: Tensor, logits: Tensor | None) -> HeldPass:
    """The rows whose logits are wanted; a sharing layer sees images as `Batch.select` leaves them.

    `logits` float32 [R, V] are where the head writes; None where it does not run.
    """
    rows = batch.logit_rows.contiguous()
    chosen, positions = ids[rows], batch.positions[rows]
    ends = None
    if batch.spans is not None:
        ends = span_ends(batch.spans, batch.positions, batch.lengths)[rows]
    return HeldPass(
        native.module.Pass(
            count=rows.numel(),
            runs=_selected_runs(batch.lengths, rows),
            ids=chosen.data_ptr(),
            positions=positions.data_ptr(),
            rows=rows.data_ptr(),
            out=0 if logits is None else logits.data_ptr(),
            span_ends=0 if ends is None else ends.data_ptr(),
            tables=_tables(batch),
        ),
        (rows, chosen, positions, ends, logits),
    )


def span_ends(spans: Tensor, positions: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """For each token of an image one after the image's last position, else 0: int64 [T]."""
    ends = torch.zeros_like(positions)
    for own, at, out in zip(
        spans.split(lengths), positions.split(lengths), ends.split(lengths), strict=True
    ):
        inside = own >= 0
        if not bool(inside.any()):
            continue
        last = torch.zeros(int(own.max()) + 1, dtype=torch.int64)
        last.scatter_reduce_(0, own[inside], at[inside] + 1, "amax")
        out[inside] = last[own[inside]]
    return ends


def _tables(batch: Batch) -> list[list[int]]:
    """Addresses of the requests' page lists, for each group of layers."""
    assert isinstance(batch.kv, PagedKV)
    groups = range(len(batch.kv.storage.groups))
    return [[table.pages[group].buffer_info()[0] for table in batch.kv.tables] for group in groups]


def _runs(lengths: tuple[int, ...]) -> list[tuple[int, int, int]]:
    runs, first = [], 0
    for request, length in enumerate(lengths):
        if length:
            runs.append((request, first, length))
        first += length
    return runs


def _selected_runs(lengths: tuple[int, ...], rows: Tensor) -> list[tuple[int, int, int]]:
    ends = torch.tensor(lengths).cumsum(0)
    owners = torch.searchsorted(ends, rows, right=True)
    counts = torch.bincount(owners, minlength=len(lengths))
    return _runs(tuple(counts.tolist()))
