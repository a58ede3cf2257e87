"""How fast this machine reads memory: any, and a model's own weights where they lie.

The two differ. A mapped file's pages are small ones where anonymous memory may have large ones, and on a
virtual machine the page cache may lie elsewhere.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from ...kernels.native import Missing, find_native
from .matrices import DecoderMatrix

GAP = 1 << 16
"""Matrices with fewer bytes between them are read as one stretch: padding, norms."""

LEAST = 16 << 20
"""Bytes of the shortest stretch that is read: below it starting the threads would count."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bandwidth:
    """Bytes a second that all threads read together; None where it was not measured.

    Attributes:
        memory: anonymous memory.
        weights: the model's matrices where they lie; None for models of less than 16 MiB or on a GPU.
        measured_bytes: of the weights that were read for it.
    """

    memory: float | None = None
    weights: float | None = None
    measured_bytes: int = 0


def measure_bandwidth(matrices: Iterable[DecoderMatrix], *, threads: int) -> Bandwidth:
    """Read 512 MiB of memory, then the weights, the best of five rounds each. Takes seconds."""
    native = find_native(num_threads=threads)
    if isinstance(native, Missing):
        return Bandwidth()
    read = native.module.read_bandwidth
    stretches = find_stretches(matrices)
    seconds = sum(size / read(threads, address, size) for address, size in stretches)
    total = sum(size for _, size in stretches)
    return Bandwidth(
        memory=read(threads),
        weights=total / seconds if stretches else None,
        measured_bytes=total,
    )


def find_stretches(matrices: Iterable[DecoderMatrix]) -> list[tuple[int, int]]:
    """Address and length of what lies together, the short ones left out."""
    found: list[tuple[int, int]] = []
    for matrix in sorted(matrices, key=lambda matrix: matrix.address):
        if not matrix.address:
            continue
        address, end = matrix.address, matrix.address + matrix.num_bytes
        if found and address - sum(found[-1]) <= GAP:
            start = found[-1][0]
            found[-1] = start, max(end, sum(found[-1])) - start
        else:
            found.append((address, end - address))
    return [(address, size) for address, size in found if size >= LEAST]
