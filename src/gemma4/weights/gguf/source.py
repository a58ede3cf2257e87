"""The tensors of a GGUF file, as a `TensorSource`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..mapped_tensor import MappedTensor
from .file import GgufFile, open_gguf
from .metadata import MetadataValue


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GgufSource:
    """A GGUF file's tensors under their GGUF names, and its metadata.

    Attributes:
        path: of the file.
        metadata: see `GgufFile.metadata`.
        tensors: name → tensor, in file order.
    """

    path: Path
    metadata: Mapping[str, MetadataValue]
    tensors: Mapping[str, MappedTensor]


def open_gguf_source(path: Path) -> GgufSource:
    """Open a GGUF file; no tensor is read yet.

    Raises:
        ModelNotFoundError, CheckpointError: as `open_gguf`.
    """
    return gguf_source(open_gguf(path))


def gguf_source(file: GgufFile) -> GgufSource:
    """The tensors of an open file."""
    tensors = {
        info.name: MappedTensor(
            name=info.name,
            shape=info.shape,
            format=info.format,
            data=file.data[info.start : info.stop],
        )
        for info in file.tensors.values()
    }
    return GgufSource(path=file.path, metadata=file.metadata, tensors=tensors)
