"""Decode steps recorded as CUDA graphs, one for each batch size, and replayed with one launch.

A step reads its inputs from buffers that stay where they are; a batch is copied into the buffers of the
next larger size and filled up with rows that stand for nobody (position −1). On a device without graphs
the same step runs over the same buffers, launch by launch.

Letters: B requests, D model width, V vocab, L layers, P per-layer dim.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .scored import Scored

SIZES = (1, 2, 4, 8, 16)
_WARM_UPS = 2  # the first run compiles kernels, which a recording must not


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class StepBuffers:
    """What a decode step reads; the tensors never move.

    Attributes:
        ids: int64 [B]. positions: int32 [B], −1 for a row that stands for nobody.
        tables: int32 [B, blocks], pages by block, for each group of layers.
        per_layer_tokens: [B, L · P] or None.
    """

    ids: Tensor
    positions: Tensor
    tables: tuple[Tensor, ...]
    per_layer_tokens: Tensor | None


Step = Callable[[StepBuffers], Scored]


@dataclass(frozen=True, slots=True, eq=False)
class _Recording:
    """A step of one size: its buffers, and what runs it and returns its rows."""

    buffers: StepBuffers
    replay: Callable[[], Scored]


class DecodeRunner:
    """Runs decode steps of any batch up to the largest size.

    Args:
        step: a step over buffers. It must not wait for the device, nor take other
            shapes for other values.
        table_widths: blocks of a page table, for each group of layers: the context's.
        per_layer_width: L · P of models with a per-layer table, else 0; in `dtype`.
        sizes: batch sizes to record, ascending.
    """

    def __init__(
        self,
        step: Step,
        *,
        table_widths: Sequence[int],
        per_layer_width: int,
        dtype: torch.dtype,
        device: torch.device,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        assert sizes, "no batch size to record"
        assert list(sizes) == sorted(set(sizes)), f"sizes {list(sizes)} do not ascend"
        self._step = step
        self._table_widths = tuple(table_widths)
        self._per_layer_width = per_layer_width
        self._dtype = dtype
        self._device = device
        self._sizes = tuple(sizes)
        self._recordings: dict[int, _Recording] = {}
        self._graphs: list[torch.cuda.CUDAGraph] = []

    @property
    def largest(self) -> int:
        """The most requests of a step."""
        return self._sizes[-1]

    def record(self) -> None:
        """Record every size now, the largest first, so that the others fit into its memory."""
        for size in reversed(self._sizes):
            self._recording(size)

    @torch.inference_mode()
    def run(
        self,
        ids: Tensor,
        positions: Tensor,
        tables: Sequence[Tensor],
        per_layer_tokens: Tensor | None = None,
    ) -> Scored:
        """Hidden states [B, D] and logits [B, V] of one token of each request.

        Args:
            ids: int64 [B]. positions: [B]. tables: int32 [B, up to the width] for each group; what a
                table lacks is not looked at.
        """
        count = ids.shape[0]
        assert 0 < count <= self.largest, f"{count} requests in a step of at most {self.largest}"
        recording = self._recording(next(size for size in self._sizes if size >= count))
        buffers = recording.buffers
        buffers.ids[:count].copy_(ids, non_blocking=True)
        buffers.positions[:count].copy_(positions, non_blocking=True)
        buffers.positions[count:].fill_(-1)
        for buffer, table in zip(buffers.tables, tables, strict=True):
            buffer[:count, : table.shape[1]].copy_(table, non_blocking=True)
        if buffers.per_layer_tokens is not None:
            assert per_layer_tokens is not None, "this model wants the rows of its per-layer table"
            buffers.per_layer_tokens[:count].copy_(per_layer_tokens, non_blocking=True)
        return recording.replay().first(count)  # a copy: the next step writes over it

    def check(self) -> None:
        """Recordings are of known sizes and hold buffers of their size."""
        for size, recording in self._recordings.items():
            assert size in self._sizes
            assert recording.buffers.ids.shape == (size,)
            widths = tuple(table.shape[1] for table in recording.buffers.tables)
            assert widths == self._table_widths

    def _recording(self, size: int) -> _Recording:
        if size not in self._recordings:
            buffers = self._make_buffers(size)
            replay = (
                self._record_graph(buffers)
                if self._device.type == "cuda"
                else lambda: self._step(buffers)
            )
            self._recordings[size] = _Recording(buffers, replay)
        return self._recordings[size]

    def _make_buffers(self, size: int) -> StepBuffers:
        """Buffers of rows that all stand for nobody: recording writes to no page."""

        def full(*shape: int, value: int = -1, dtype: torch.dtype = torch.int32) -> Tensor:
            return torch.full(shape, value, dtype=dtype, device=self._device)

        return StepBuffers(
            ids=full(size, value=0, dtype=torch.int64),
            positions=full(size),
            tables=tuple(full(size, width) for width in self._table_widths),
            per_layer_tokens=full(size, self._per_layer_width, value=0, dtype=self._dtype)
            if self._per_layer_width
            else None,
        )

    @torch.inference_mode()
    def _record_graph(self, buffers: StepBuffers) -> Callable[[], Scored]:
        aside = torch.cuda.Stream(self._device)
        aside.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                self._step(buffers)
        torch.cuda.current_stream(self._device).wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        pool = self._graphs[0].pool() if self._graphs else None
        with torch.cuda.graph(graph, pool=pool):
            scored = self._step(buffers)
        self._graphs.append(graph)

        def replay() -> Scored:
            graph.replay()
            return scored

        return replay
