"""Matrices that stay in their file, in its own blocks: what may, and how the model takes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import torch
from torch import nn

from ..fit.native import KEPT_FORMATS
from ..fit.weights import TABLE
from ..quant import (
    BlockMatrix,
    BlockStack,
    GroupedMatrix,
    PackedLinear,
    PackedTable,
    PackedWeight,
    StoredMatrix,
    grouped_matrix,
)
from ..quant.grouped_matrix import obstacle
from ..quant.w4a16 import PER_WORD
from ..tensors.entry import Role, TensorEntry, TensorKind
from .derived import JoinedTensor, Place
from .huggingface.packed_tensor import PackedTensor
from .mapped_tensor import MappedTensor
from .source import StoredTensor

MEDIA: Final = frozenset({Role.VISION, Role.AUDIO, Role.PROJECTOR})
_MATRICES: Final = frozenset({TensorKind.LINEAR, TensorKind.EMBEDDING, TensorKind.EXPERTS})


@dataclass(frozen=True, slots=True)
class KeptMatrix:
    """A matrix as the kernels take it; `memory_bytes` of it are no view of the file."""

    matrix: StoredMatrix
    memory_bytes: int = 0


def keep_matrix(stored: StoredTensor, entry: TensorEntry) -> KeptMatrix | str:
    """The tensor as it lies in its file, or a phrase on why it must be expanded, empty where all say so.

    Experts that are packed one by one are put together in memory, still packed.
    """
    if entry.kind not in _MATRICES:
        return ""
    match stored:
        case MappedTensor() if stored.encoding in KEPT_FORMATS:
            matrix = BlockMatrix(format=stored.format, raw=stored.raw, columns=stored.shape[-1])
            return KeptMatrix(matrix)
        case PackedTensor() if entry.kind is not TensorKind.EMBEDDING:
            found = grouped_matrix(stored.weight)
            return found if isinstance(found, str) else _kept(found, stored.weight)
        case JoinedTensor() if all(isinstance(part, PackedTensor) for _, part in stored.parts):
            return _join(stored)
    return ""


def table_obstacle(tensors: Mapping[str, StoredTensor]) -> str | None:
    """Why the kernels cannot look rows up in the per-layer table; None: they can, or there is none."""
    for name, stored in tensors.items():
        reads = isinstance(stored, MappedTensor) and stored.encoding in KEPT_FORMATS
        if name.endswith(TABLE) and not reads:
            return f"the native kernels look no rows up in a per-layer table in {stored.encoding}"
    return None


def copied_bytes(
    stored: StoredTensor, entry: TensorEntry, *, keep_media: tuple[str, ...] = ()
) -> int | None:
    """`keep_matrix` foretold from headers: bytes it takes anew, or None where the tensor is expanded.

    Scales of W4A16 that are no bfloat16 are taken for numbers that bfloat16 holds.

    Args:
        keep_media: paths of parts for media that stay as well, their tables of positions included.
    """
    media = entry.role in MEDIA
    if media and not entry.name.startswith(keep_media):
        return None
    if entry.kind not in _MATRICES and not (media and entry.kind is TensorKind.POSITION):
        return None
    match stored:
        case MappedTensor() if stored.encoding in KEPT_FORMATS:
            return 0
        case PackedTensor() if entry.kind is not TensorKind.EMBEDDING:
            return _copied_scales(stored.weight)
        case JoinedTensor() if all(isinstance(part, PackedTensor) for _, part in stored.parts):
            parts = [part.weight for _, part in stored.parts if isinstance(part, PackedTensor)]
            if any(_copied_scales(part) is None for part in parts):
                return None
            scales = sum(part.scale.numel() for part in parts) * torch.bfloat16.itemsize
            return sum(part.packed.nbytes for part in parts) + scales
    return None


def _copied_scales(weight: PackedWeight) -> int | None:
    if obstacle(weight) is not None:
        return None
    return 0 if weight.scale.dtype is torch.bfloat16 else weight.scale.numel() * 2


def put_matrix(
    model: nn.Module, entry: TensorEntry, matrix: StoredMatrix, dtype: torch.dtype
) -> None:
    """Put the matrix in the place of a linear, of the token embedding, or of all experts' weights."""
    if entry.kind is TensorKind.EXPERTS:
        owner, _, name = entry.name.rpartition(".")
        module = model.get_submodule(owner)
        delattr(module, name)  # a parameter gives way to a plain attribute
        setattr(module, name, BlockStack(matrix, entry.shape[0], dtype))
        return
    owner, _, name = entry.name.removesuffix(".weight").rpartition(".")
    embeds = entry.kind is TensorKind.EMBEDDING
    parent = model.get_submodule(owner)
    if embeds:
        setattr(parent, name, PackedTable(matrix, dtype))
        return
    setattr(parent, name, PackedLinear(matrix, getattr(parent, name).bias))


def _kept(matrix: GroupedMatrix, stored: PackedWeight) -> KeptMatrix:
    """Counts scales that were converted, and words that were copied to lie one after the other."""
    pairs = ((matrix.weight.packed, stored.packed), (matrix.weight.scale, stored.scale))
    taken = sum(ours.nbytes for ours, theirs in pairs if ours.data_ptr() != theirs.data_ptr())
    return KeptMatrix(matrix, taken)


def _join(stored: JoinedTensor) -> KeptMatrix | str:
    """All experts' rows one after the other: [E, R, C] as [E · R, C]."""
    experts, rows, columns = stored.shape
    found: list[tuple[Place, PackedWeight]] = []
    for place, part in stored.parts:
        assert isinstance(part, PackedTensor)
        matrix = grouped_matrix(part.weight)
        if isinstance(matrix, str):
            return matrix
        found.append((place, matrix.weight))
    first = found[0][1]
    words = torch.empty(experts, rows, columns // PER_WORD, dtype=torch.int32)
    scale = torch.empty(experts, rows, first.scale.shape[1], dtype=torch.bfloat16)
    for (place, weight), (_, part) in zip(found, stored.parts, strict=True):
        if weight.packed.shape != words[place].shape or weight.scale.shape != scale[place].shape:
            return "whose experts differ in shape"
        words[place], scale[place] = weight.packed, weight.scale
        assert isinstance(part, PackedTensor)
        part.let_go()
    joined = replace(first, packed=words.flatten(0, 1), scale=scale.flatten(0, 1))
    return KeptMatrix(GroupedMatrix(weight=joined), words.nbytes + scale.nbytes)
