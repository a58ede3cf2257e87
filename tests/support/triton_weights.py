"""Quantized matrices with random contents, in the forms that the GPU kernels read."""

import torch
from torch import Tensor

from gemma4.kernels.cuda.packed import PackedMatrix, pack_q4_0, pack_q8_0, pack_w4a16
from gemma4.quant import PackedWeight

BLOCK_BYTES = {"Q4_0": 18, "Q8_0": 34}


def random_blocks(name: str, rows: int, columns: int, scale: float = 0.02) -> Tensor:
    """Rows of Q4_0 or Q8_0 blocks with scales of both signs, uint8."""
    size = BLOCK_BYTES[name]
    raw = torch.randint(0, 256, (rows, columns // 32, size), dtype=torch.uint8)
    scales = (torch.randn(rows, columns // 32) * scale).half()
    raw[..., :2] = scales.view(torch.uint8).view(rows, columns // 32, 2)
    return raw.flatten(1)


def random_w4a16(rows: int, columns: int, group: int, dtype: torch.dtype) -> PackedWeight:
    """Symmetric groups of 4-bit weights."""
    words = torch.randint(-(2**31), 2**31, (rows, -(-columns // 8)), dtype=torch.int32)
    scale = (torch.randn(rows, columns // group) * 0.02).to(dtype)
    return PackedWeight(columns=columns, packed=words, scale=scale)


def random_packed(name: str, rows: int, columns: int, *, matrices: int = 1) -> PackedMatrix:
    """`matrices` matrices [rows, columns] of a format: Q4_0, Q8_0, or W4A16 with its group, as W4A16/128."""
    if name.startswith("W4A16"):
        group = int(name.partition("/")[2])
        weight = random_w4a16(rows * matrices, columns, group, torch.bfloat16)
        return pack_w4a16(weight, matrices=matrices)
    pack = pack_q4_0 if name == "Q4_0" else pack_q8_0
    return pack(random_blocks(name, rows * matrices, columns), matrices=matrices)
