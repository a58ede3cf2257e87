"""Modules' weights as the kernels take them: an address, a shape and a format. Nothing is copied."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import EnvironmentFault
from ...kernels.native import Native
from ...quant import (
    BlockMatrix,
    BlockStack,
    GroupedMatrix,
    PackedLinear,
    PackedTable,
    StoredMatrix,
)
from ..embedding import TableEmbedding

PLAIN = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


@dataclass(frozen=True, slots=True)
class Weight:
    """A matrix [rows, columns] for the kernels, and how its activations are packed."""

    matrix: Any  # gemma4.kernels._native.Matrix
    rows: int
    columns: int
    packing: Any  # gemma4.kernels._native.Packing
    packed_bytes: int
    owner: object
    """What keeps the bytes alive."""


def weight_of(native: Native, source: object, *, first: int = 0, last: int | None = None) -> Weight:
    """Rows [first, last) of a linear's, table's or parameter's matrix; experts count as one tall matrix."""
    match source:
        case PackedLinear() | PackedTable() | BlockStack():
            return _of_matrix(native, source.matrix, first, last)
        case nn.Linear() | TableEmbedding():
            return _of_tensor(native, source.weight, first, last)
        case Tensor():
            return _of_tensor(native, source.reshape(-1, source.shape[-1]), first, last)
    raise TypeError(f"{type(source).__name__} holds no matrix")


def media_weight(native: Native, linear: nn.Module) -> Weight:
    """A tower's matrix; float16 becomes bfloat16 as it is read, to nearest, ties away from zero.

    So do its activations. What had been bfloat16 before is met again, but for numbers below 2⁻¹⁴.
    """
    weight, module = weight_of(native, linear), native.module
    matrix = weight.matrix.rounding_halves()
    packing = module.packing_for(matrix.format)
    packed_bytes = module.packed_bytes(packing, weight.columns)
    return replace(weight, matrix=matrix, packing=packing, packed_bytes=packed_bytes)


def _of_matrix(native: Native, matrix: StoredMatrix, first: int, last: int | None) -> Weight:
    rows, columns = matrix.shape
    count = (last or rows) - first
    match matrix:
        case BlockMatrix():
            row_bytes = matrix.format.row_bytes(columns)
            address = matrix.address + first * row_bytes
            return _weight(native, address, count, columns, row_bytes, matrix.encoding, matrix)
        case GroupedMatrix():
            words, scale = matrix.weight.packed[first:], matrix.weight.scale[first:]
            return _weight(
                native,
                words.data_ptr(),
                count,
                columns,
                words.stride(0) * words.element_size(),
                matrix.encoding,
                matrix,
                scales=scale.data_ptr(),
                group=matrix.group,
            )
    raise TypeError(f"{type(matrix).__name__} is no matrix that the kernels read")


def _of_tensor(native: Native, tensor: Tensor, first: int, last: int | None) -> Weight:
    if tensor.dtype not in PLAIN or not tensor.is_contiguous() or tensor.device.type != "cpu":
        raise EnvironmentFault(
            f"native kernels take contiguous float32, float16 or bfloat16 on the CPU, not {tensor.dtype} "
            f"on {tensor.device}; load with device=cpu"
        )
    rows, columns = tensor.shape
    row_bytes = columns * tensor.element_size()
    address = tensor.data_ptr() + first * row_bytes
    name = PLAIN[tensor.dtype]
    return _weight(native, address, (last or rows) - first, columns, row_bytes, name, tensor)


def _weight(
    native: Native,
    address: int,
    rows: int,
    columns: int,
    row_bytes: int,
    name: str,
    owner: object,
    *,
    scales: int = 0,
    group: int = 0,
) -> Weight:
    module = native.module
    format = getattr(module.Format, name)
    packing = module.packing_for(format)
    matrix = module.Matrix(address, rows, columns, row_bytes, format, scales, group)
    return Weight(matrix, rows, columns, packing, module.packed_bytes(packing, columns), owner)
