"""The tensors of a plan, encoded piece by piece, as a GGUF file takes them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from ...config import TextConfig
from ...quant import FORMATS, Bytes
from ...quant.encode import check_values, encode
from ...tensors.entry import Layout, TensorKind
from ..gguf.mmproj import to_gguf
from ..gguf.names import ROPE_FREQS, rope_freq_factors
from ..gguf.writer import GgufTensor
from ..source import StoredTensor, TensorSource
from .plan import PlannedTensor
from .row_slices import RowReader, Slice, slices_of

OnBytes = Callable[[int], None]
"""Told the bytes of each piece when it is on its way to the file."""


def gguf_tensors(
    planned: Sequence[PlannedTensor], source: TensorSource, *, threads: int, on_bytes: OnBytes
) -> list[GgufTensor]:
    """Tensors ready to be written, in the plan's order; nothing is read yet.

    Args:
        source: tensors by module path.
        threads: that encode at the same time.
    """

    def ready(tensor: PlannedTensor) -> GgufTensor:
        stored = source.tensors[tensor.entry.name]

        def pieces() -> Iterator[Bytes]:
            for piece in _pieces(tensor, stored, threads):
                yield piece
                on_bytes(piece.nbytes)

        return GgufTensor(name=tensor.name, shape=tensor.shape, format=tensor.format, pieces=pieces)

    return [ready(tensor) for tensor in planned]


def rope_freqs_tensor(text: TextConfig) -> GgufTensor:
    """`rope_freqs.weight`: which pairs of full layers stand still."""
    factors = np.array(rope_freq_factors(text), dtype=np.float32)
    return GgufTensor(
        name=ROPE_FREQS,
        shape=factors.shape,
        format=FORMATS["F32"],
        pieces=lambda: iter((factors.view(np.uint8),)),
    )


def _pieces(tensor: PlannedTensor, stored: StoredTensor, threads: int) -> Iterator[Bytes]:
    """The tensor's bytes. What is stored in the wanted format already is copied as it is."""
    if tensor.entry.layout is Layout.SAME:
        slices, same = RowReader(stored).slices(), stored.encoding == tensor.format.name
    else:
        slices, same = slices_of(to_gguf(tensor.entry, stored.read())), False
    for part in slices:
        yield _encode(tensor, stored.name, part, keeps_bytes=same, threads=threads)


def _encode(
    tensor: PlannedTensor, name: str, part: Slice, *, keeps_bytes: bool, threads: int
) -> Bytes:
    if tensor.entry.kind is TensorKind.INDEX:
        return part.values.to(torch.int64).contiguous().view(torch.uint8).numpy()
    if keeps_bytes and part.raw is not None and tensor.entry.kind is not TensorKind.CLIP_BOUND:
        check_values(part.values.float(), name, None)
        return part.raw
    bounds = tensor.entry.kind is TensorKind.CLIP_BOUND
    return encode(part.values, tensor.format, name=name, threads=threads, infinite=bounds)
