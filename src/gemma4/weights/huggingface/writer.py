"""Writes a safetensors file, one piece of a tensor after the other.

Layout: 8 bytes with the header's length | header, JSON with each tensor's place | data.
Specification: https://huggingface.co/docs/safetensors
"""

import json
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from ...quant import FORMATS, Bytes

_ALIGNMENT = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class SafeTensor:
    """A tensor to be written.

    Attributes:
        name: in the file.
        dtype: as headers spell it: BF16, F32, I32, …
        pieces: gives the bytes, in order; called once.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    pieces: Callable[[], Iterator[Bytes]]

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return prod(self.shape) * FORMATS[self.dtype].bytes_per_block


def write_safetensors(file: BinaryIO, tensors: Sequence[SafeTensor]) -> None:
    """Write header and tensors; peak memory is that of one piece.

    Raises:
        CheckpointError: what `pieces` raises.
        OSError: the disk is full or fails.
    """
    file.write(_header(tensors))
    for tensor in tensors:
        written = 0
        for piece in tensor.pieces():
            file.write(piece.data)
            written += piece.nbytes
        assert written == tensor.nbytes, f"{tensor.name}: {written} of {tensor.nbytes} bytes"


def _header(tensors: Sequence[SafeTensor]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for tensor in tensors:
        stop = start + tensor.nbytes
        entries[tensor.name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return struct.pack("<Q", len(text)) + text
