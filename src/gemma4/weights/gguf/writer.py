"""Writes a GGUF file (version 3), one piece of a tensor after the other.

Every size is known before the first byte is written: the header says where each tensor will lie.
"""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import BinaryIO

from ...quant import Bytes, TensorFormat
from .file import DEFAULT_ALIGNMENT
from .metadata import MetadataValue
from .values import encode_entry, encode_string

_MAGIC, _VERSION = b"GGUF", 3


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufTensor:
    """A tensor to be written.

    Attributes:
        name: in the file.
        shape: outermost dimension first; rows are whole blocks of the format.
        format: one with a number in GGUF.
        pieces: gives the bytes, in order; called once.
    """

    name: str
    shape: tuple[int, ...]
    format: TensorFormat
    pieces: Callable[[], Iterator[Bytes]]

    @property
    def nbytes(self) -> int:
        """Bytes in the file, without padding."""
        return prod(self.shape[:-1]) * self.format.row_bytes(self.shape[-1])


def gguf_bytes(metadata: Mapping[str, MetadataValue], tensors: Sequence[GgufTensor]) -> int:
    """Size of the file that `write_gguf` writes."""
    return len(_header(metadata, tensors)) + sum(_padded(tensor.nbytes) for tensor in tensors)


def write_gguf(
    file: BinaryIO, metadata: Mapping[str, MetadataValue], tensors: Sequence[GgufTensor]
) -> None:
    """Write header and tensors; peak memory is that of one piece and of the header.

    Args:
        metadata: without `general.alignment`; tensors lie at multiples of 32 bytes.

    Raises:
        CheckpointError: a value that GGUF has no type for; and what `pieces` raises.
        OSError: the disk is full or fails.
    """
    file.write(_header(metadata, tensors))
    for tensor in tensors:
        written = 0
        for piece in tensor.pieces():
            file.write(piece.data)
            written += piece.nbytes
        assert written == tensor.nbytes, f"{tensor.name}: {written} of {tensor.nbytes} bytes"
        file.write(bytes(_padded(written) - written))


def _header(metadata: Mapping[str, MetadataValue], tensors: Sequence[GgufTensor]) -> bytes:
    parts = [_MAGIC, struct.pack("<IQQ", _VERSION, len(tensors), len(metadata))]
    parts += [encode_entry(key, value) for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        parts.append(_describe(tensor, offset))
        offset += _padded(tensor.nbytes)
    header = b"".join(parts)
    return header + bytes(_padded(len(header)) - len(header))


def _describe(tensor: GgufTensor, offset: int) -> bytes:
    """Name, sizes innermost first, type, and place counted from the start of the data."""
    sizes = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *reversed(tensor.shape))
    return encode_string(tensor.name) + sizes + struct.pack("<IQ", tensor.format.ggml_id, offset)


def _padded(size: int) -> int:
    return -(-size // DEFAULT_ALIGNMENT) * DEFAULT_ALIGNMENT
