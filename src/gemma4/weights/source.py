"""What the loader reads from: named tensors in files, whatever the file format.

A source lists its tensors without reading them. `SafetensorsSource`, `GgufSource` and
`CompressedTensorsSource` satisfy these protocols. Shapes are in the order of a Hugging Face
checkpoint: a linear weight is [out, in], an embedding [V, D].
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor


class StoredTensor(Protocol):
    """One tensor that lies in a file."""

    @property
    def name(self) -> str:
        """The name in the file."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """The logical shape, also where the stored form is packed."""
        ...

    @property
    def encoding(self) -> str:
        """How the values are stored: "F32", "F16", "BF16", "I64", "Q8_0", "Q4_K", "W4A16", …"""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes it takes in the file."""
        ...

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Read the whole tensor, in `shape`.

        `None` means as stored, or float32 where it is stored in blocks. A plain tensor read as
        stored is a view of the mapped file: nothing is copied, and a page is read when it is first
        touched. Such a view may be written to; the file does not change.
        """
        ...

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Read rows of the first dimension: index [...] of integers → [..., *shape[1:]].

        Only the bytes of these rows are read. The result is always a copy.
        """
        ...


class TensorSource(Protocol):
    """The tensors of one checkpoint."""

    @property
    def path(self) -> Path:
        """The file or directory, for messages."""
        ...

    @property
    def tensors(self) -> Mapping[str, StoredTensor]:
        """Every tensor by the name it has in the file."""
        ...
