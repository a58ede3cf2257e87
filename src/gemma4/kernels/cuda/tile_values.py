"""Parts of Triton kernels: from stored integers to operands of the tensor cores, and the gate's curve.

A 4-bit integer becomes a float without a conversion: it is put into the low bits of a number whose
neighbours are one apart (1024 in float16, 128 in bfloat16), and that number and the stored 8 are then
taken off. Two weights go through one 32-bit operation, so unpacking keeps up with the memory.
"""

import torch
import triton
import triton.language as tl

# What to put the nibbles into, twice, and what to take off again.
FLOAT16_MAGIC, FLOAT16_BIAS = 0x64006400, 1024 + 8
BFLOAT16_MAGIC, BFLOAT16_BIAS = 0x43004300, 128 + 8


def magic_of(dtype: torch.dtype) -> int:
    """The carrier of two nibbles; given to kernels at run time, for a second literal costs an instruction."""
    return FLOAT16_MAGIC if dtype is torch.float16 else BFLOAT16_MAGIC


@triton.jit
def nibble_plane(
    words, plane: tl.constexpr, magic, BIAS: tl.constexpr, DTYPE: tl.constexpr, ROWS: tl.constexpr
):
    """Words int32 [ROWS, 16] → the 32 columns of a plane, whole numbers −8 … 7 of DTYPE [ROWS, 32]."""
    pairs = ((words >> (4 * plane)) & 0x000F000F) | magic
    first = pairs.to(tl.int16).to(DTYPE, bitcast=True)
    second = (pairs >> 16).to(tl.int16).to(DTYPE, bitcast=True)
    values = tl.join(first, second).reshape(ROWS, 4, 2, 2, 2)  # t, a, c, h
    values = values.permute(0, 2, 1, 3, 4).reshape(ROWS, 32)  # a, t, c, h
    return (values - BIAS).to(DTYPE)


@triton.jit
def byte_plane(words, DTYPE: tl.constexpr, ROWS: tl.constexpr):
    """Bytes int8 [ROWS, 32] in stored order → whole numbers of DTYPE [ROWS, 32] in column order."""
    values = words.reshape(ROWS, 4, 2, 4).permute(0, 2, 1, 3).reshape(ROWS, 32)  # t, a, e → a, t, e
    return values.to(DTYPE)


@triton.jit
def scale_of(packed, plane: tl.constexpr, IS_BFLOAT16: tl.constexpr):
    """The 16-bit scale number `plane` of packed scales int64, int32 or int16 [ROWS], as float32."""
    bits = (packed >> (16 * plane)).to(tl.int16)
    if IS_BFLOAT16:
        return bits.to(tl.bfloat16, bitcast=True).to(tl.float32)
    return bits.to(tl.float16, bitcast=True).to(tl.float32)


@triton.jit
def gelu(x):
    """The tanh form of GELU, float32: ½ · (1 + tanh y) is 1 / (1 + e^(−2y)), so that nothing overflows."""
    y = 0.7978845608028654 * (x + 0.044715 * x * x * x)
    small = tl.exp(-2.0 * tl.abs(y))
    return x * tl.where(y >= 0, 1.0, small) / (1.0 + small)
