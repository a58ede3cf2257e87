"""The tensors that a W4A16 weight is stored in: packed numbers, scales, shape.

Experts are stored one by one under `experts.N.gate_proj`, `up_proj` and `down_proj`, as quantizers do.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from ...quant import Bytes
from ...quant.encode import check_values
from ...quant.encode_w4a16 import GROUP_SIZE, encode_w4a16
from ...quant.w4a16 import PER_WORD
from ...tensors.entry import TensorEntry, TensorKind
from ..huggingface.writer import SafeTensor
from ..source import StoredTensor
from .row_slices import RowReader

OnBytes = Callable[[int], None]


def packed_parts(
    entry: TensorEntry, name: str, stored: StoredTensor, on_bytes: OnBytes
) -> Iterator[SafeTensor]:
    """The parts of a matrix [R, C], or of every expert's matrices; C is a multiple of 32.

    Args:
        name: of the weight in the file.
    """
    reader = RowReader(stored)
    if entry.kind is not TensorKind.EXPERTS:
        yield from _Packing(reader, stored.name, (0, entry.shape[0])).parts(name, on_bytes)
        return
    experts, rows, _ = entry.shape
    path, _, fused = name.rpartition(".")
    names = ("gate_proj", "up_proj") if fused == "gate_up_proj" else (fused,)
    height = rows // len(names)
    for expert in range(experts):
        for index, part in enumerate(names):
            start = expert * rows + index * height
            packing = _Packing(reader, stored.name, (start, start + height))
            yield from packing.parts(f"{path}.{expert}.{part}.weight", on_bytes)


class _Packing:
    """Rows [start, stop) of a reader; scales are kept from the pass that packs the numbers."""

    def __init__(self, reader: RowReader, stored_name: str, rows: tuple[int, int]) -> None:
        self._reader = reader
        self._name = stored_name
        self._rows = rows
        self._scales: list[Tensor] = []

    def parts(self, name: str, on_bytes: OnBytes) -> Iterator[SafeTensor]:
        """In the order in which they must be written."""
        height, width = self._rows[1] - self._rows[0], self._reader.columns

        def counted(pieces: Callable[[], Iterator[Bytes]]) -> Callable[[], Iterator[Bytes]]:
            def count() -> Iterator[Bytes]:
                for piece in pieces():
                    yield piece
                    on_bytes(piece.nbytes)

            return count

        for part, dtype, shape, pieces in (
            ("packed", "I32", (height, width // PER_WORD), self._pack),
            ("scale", "BF16", (height, width // GROUP_SIZE), self._give_scales),
            ("shape", "I64", (2,), lambda: iter((_bytes(torch.tensor([height, width])),))),
        ):
            yield SafeTensor(
                name=f"{name}_{part}", dtype=dtype, shape=shape, pieces=counted(pieces)
            )

    def _pack(self) -> Iterator[Bytes]:
        for part in self._reader.slices(*self._rows):
            values = part.values.float()
            check_values(values, self._name, None)
            weight = encode_w4a16(values.numpy())
            self._scales.append(weight.scale)
            yield _bytes(weight.packed)

    def _give_scales(self) -> Iterator[Bytes]:
        scales, self._scales = self._scales, []
        for scale in scales:
            yield _bytes(scale)


def _bytes(values: Tensor) -> Bytes:
    found: Bytes = np.ascontiguousarray(values.contiguous().view(torch.uint8).numpy())
    return found
