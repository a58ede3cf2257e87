"""The layouts in which llama.cpp stores some tensors, mostly of the media towers, both ways.

llama.cpp runs the patch embedding as a convolution over channel planes, keeps the depthwise kernel
flat, has no 0-d tensors, and stores `per_dim_scale` with its softplus taken. Each function below is
the other one's inverse; `to_gguf` and `from_gguf` choose by the table's `Layout`.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import CheckpointError
from ...tensors.entry import Layout, TensorEntry
from ..derived import ConvertedTensor
from ..source import StoredTensor

CHANNELS = 3


def gguf_shape(entry: TensorEntry) -> tuple[int, ...]:
    """The shape, in our order, that a tensor has in a GGUF file."""
    shape = entry.shape
    match entry.layout:
        case Layout.SCALAR:
            return (1,)
        case Layout.IMAGE_PATCH:
            side = _patch_side(shape[1])
            return (shape[0], CHANNELS, side, side)
        case Layout.DEPTHWISE:
            return (shape[0], shape[2])
        case Layout.AXIS_FIRST:
            return (shape[1], shape[0], shape[2])
        case _:
            return shape


def to_gguf(entry: TensorEntry, values: Tensor) -> Tensor:
    """Lay out a tensor of the model as llama.cpp stores it."""
    match entry.layout:
        case Layout.IMAGE_PATCH:
            side = _patch_side(values.shape[1])
            grid = values.reshape(values.shape[0], side, side, CHANNELS)
            return grid.permute(0, 3, 1, 2).contiguous()
        case Layout.PATCH_COLUMNS:
            side = _patch_side(values.shape[-1])
            grid = values.reshape(*values.shape[:-1], side, side, CHANNELS)
            return grid.movedim(-1, -3).reshape(values.shape)
        case Layout.AXIS_FIRST:
            return values.transpose(0, 1).contiguous()
        case Layout.SOFTPLUS:
            return F.softplus(values.float())
        case _:
            return values.reshape(gguf_shape(entry))


def from_gguf(entry: TensorEntry, stored: StoredTensor) -> StoredTensor:
    """Give a tensor of a GGUF file the model's layout.

    A tensor of a wrong shape is handed on as it is, for the loader to name with all others.

    Raises:
        CheckpointError: the shape is the model's own where llama.cpp stores another, so that the
            order of its values cannot be told.
    """
    expected = gguf_shape(entry)
    if stored.shape != expected:
        same_order = entry.layout in (Layout.SCALAR, Layout.DEPTHWISE)
        if stored.shape == entry.shape and not same_order:
            raise CheckpointError(
                f"tensor {stored.name} has the shape {list(stored.shape)} where llama.cpp writes "
                f"{list(expected)}; convert the model again with llama.cpp's converter"
            )
        return stored
    if entry.layout is Layout.SAME:
        return stored
    arithmetic = entry.layout is Layout.SOFTPLUS

    def convert(values: Tensor) -> Tensor:
        return _inverse_softplus(values, stored.name) if arithmetic else _unlay(entry, values)

    return ConvertedTensor(stored=stored, shape=entry.shape, convert=convert, arithmetic=arithmetic)


def _unlay(entry: TensorEntry, values: Tensor) -> Tensor:
    """Undo a change of order or shape."""
    match entry.layout:
        case Layout.IMAGE_PATCH:
            return values.permute(0, 2, 3, 1).reshape(entry.shape)
        case Layout.PATCH_COLUMNS:
            side = _patch_side(values.shape[-1])
            planes = values.reshape(*values.shape[:-1], CHANNELS, side, side)
            return planes.movedim(-3, -1).reshape(entry.shape)
        case Layout.AXIS_FIRST:
            return values.transpose(0, 1)
        case _:
            return values.reshape(entry.shape)


def _inverse_softplus(values: Tensor, name: str) -> Tensor:
    """Solve softplus(w) = y for w: y + log(1 − e^−y), which neither overflows nor cancels."""
    if not bool((values > 0).all()):
        raise CheckpointError(
            f"tensor {name} holds {values.min().item():g}, but a softplus is above 0; "
            "the file is damaged"
        )
    return values + torch.log(-torch.expm1(-values))


def _patch_side(columns: int) -> int:
    """Side p of a patch of p·p·3 values."""
    side = math.isqrt(columns // CHANNELS)
    if side * side * CHANNELS != columns:
        raise CheckpointError(
            f"{columns} values are no square patch of {CHANNELS} channels; "
            "patch_size does not fit the file"
        )
    return side
