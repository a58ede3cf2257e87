"""Formats of 256 weights a block, the "K" formats: Q2_K, Q3_K, Q4_K, Q5_K, Q6_K.

A block holds 8 or 16 groups, each with a small integer scale that a float16 of the block
multiplies. Each function decodes blocks uint8 [n, bytes_per_block] into out float32 [n, 256], in
the order of operations of llama.cpp, so that the result is the same to the bit.
"""

import numpy as np

from .blocks32 import Bytes, Floats, float16_column

# How far to shift to reach each field of a byte: four 2-bit fields, eight single bits.
_PAIRS = np.array([0, 2, 4, 6], dtype=np.uint8).reshape(1, 1, 4, 1)
_BITS = np.arange(8, dtype=np.uint8).reshape(1, 8, 1)


def decode_q2_k(blocks: Bytes, out: Floats) -> None:
    """d · scale · q − dmin · minimum, 16 groups; a byte holds the group's scale and its minimum.

    Bytes: 16 scales | 64 of 2-bit values | d | dmin.
    """
    scales = blocks[:, :16]
    scale = float16_column(blocks, 80) * (scales & 15).astype(np.float32)  # [n, 16]
    minimum = float16_column(blocks, 82) * (scales >> 4).astype(np.float32)
    values = out.reshape(-1, 16, 16)
    values[...] = _two_bits(blocks[:, 16:80]).reshape(-1, 16, 16)
    values *= scale[:, :, None]
    values -= minimum[:, :, None]


def decode_q3_k(blocks: Bytes, out: Floats) -> None:
    """d · (scale − 32) · (q − 4 where the high bit is 0), 16 groups.

    Bytes: 32 of high bits | 64 of 2-bit values | 12 of 6-bit scales | d.
    """
    low, high = blocks[:, 96:104], blocks[:, 104:108]
    scales = np.concatenate([low & 15, low >> 4], axis=1)  # [n, 16]
    scales |= (_two_bits(high.reshape(-1, 1, 4)).reshape(-1, 16)) << 4
    scale = float16_column(blocks, 108) * (scales.astype(np.float32) - np.float32(32))
    bits = (blocks[:, None, :32] >> _BITS) & 1  # [n, 8, 32]
    values = out.reshape(-1, 8, 32)
    values[...] = _two_bits(blocks[:, 32:96]).reshape(-1, 8, 32) | (bits << 2)
    values -= np.float32(4)
    groups = out.reshape(-1, 16, 16)
    groups *= scale[:, :, None]


def decode_q4_k(blocks: Bytes, out: Floats) -> None:
    """d · scale · q − dmin · minimum, 8 groups of 32.

    Bytes: d | dmin | 12 of 6-bit scales and minimums | 128 of nibbles.
    """
    values = out.reshape(-1, 8, 32)
    values[...] = _group_nibbles(blocks[:, 16:], 32)
    _scale_and_shift(blocks, values)


def decode_q5_k(blocks: Bytes, out: Floats) -> None:
    """As Q4_K, with a fifth bit: byte j of the 32 holds it for weight j of each of the 8 groups.

    Bytes: d | dmin | 12 of 6-bit scales and minimums | 32 of fifth bits | 128 of nibbles.
    """
    fifth = ((blocks[:, None, 16:48] >> _BITS) & 1) << 4  # [n, 8, 32]
    values = out.reshape(-1, 8, 32)
    values[...] = _group_nibbles(blocks[:, 48:], 32) | fifth
    _scale_and_shift(blocks, values)


def decode_q6_k(blocks: Bytes, out: Floats) -> None:
    """d · scale · (q − 32), 16 groups with int8 scales.

    Bytes: 128 of low nibbles | 64 of high 2 bits | 16 scales | d.
    """
    scale = float16_column(blocks, 208) * blocks[:, 192:208].view(np.int8).astype(np.float32)
    high = _two_bits(blocks[:, 128:192]).reshape(-1, 8, 32) << 4
    values = out.reshape(-1, 8, 32)
    values[...] = _group_nibbles(blocks[:, :128], 64).reshape(-1, 8, 32) | high
    values -= np.float32(32)
    groups = out.reshape(-1, 16, 16)
    groups *= scale[:, :, None]


def _group_nibbles(packed: Bytes, width: int) -> Bytes:
    """Spread runs of `width` bytes into low, then high nibbles: → [n, 256 / width, width]."""
    runs = packed.reshape(len(packed), -1, 1, width)
    spread = np.empty((*runs.shape[:2], 2, width), dtype=np.uint8)
    np.bitwise_and(runs[:, :, 0], 15, out=spread[:, :, 0])
    np.right_shift(runs[:, :, 0], 4, out=spread[:, :, 1])
    return spread.reshape(len(packed), -1, width)


def _two_bits(packed: Bytes) -> Bytes:
    """Spread runs of up to 32 bytes into four runs of 2-bit values, lowest bits first."""
    width = min(32, packed.shape[-1])
    runs = packed.reshape(len(packed), -1, 1, width)
    return np.bitwise_and(runs >> _PAIRS, 3, dtype=np.uint8)


def _scale_and_shift(blocks: Bytes, values: Floats) -> None:
    """Apply the 6-bit scales and minimums of Q4_K and Q5_K in place to values [n, 8, 32].

    Twelve bytes in three rows of four: the low 6 bits of rows 0 and 1 are the scales and minimums
    of groups 0–3; row 2 holds the low nibbles of those of groups 4–7 (scale low, minimum high),
    whose top 2 bits are the top bits of rows 0 and 1.
    """
    first, second, third = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = np.concatenate([first & 63, (third & 15) | ((first >> 2) & 48)], axis=1)  # [n, 8]
    minimums = np.concatenate([second & 63, (third >> 4) | ((second >> 2) & 48)], axis=1)
    values *= (float16_column(blocks, 0) * scales.astype(np.float32))[:, :, None]
    values -= (float16_column(blocks, 2) * minimums.astype(np.float32))[:, :, None]
