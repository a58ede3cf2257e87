"""Formats of 32 weights a block: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL.

Each function decodes blocks uint8 [n, bytes_per_block] into out float32 [n, 32], in the order of
operations of llama.cpp, so that the result is the same to the bit. A block starts with its scale d
in float16 (Q4_1 and Q5_1: then the minimum m in float16). 4-bit values lie as 16 bytes: the low
nibbles are weights 0–15, the high nibbles weights 16–31.
"""

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# The 16 levels of IQ4_NL, from ggml's `kvalues_iq4nl`.
_IQ4_NL_LEVELS = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def float16_column(blocks: Bytes, start: int) -> Floats:
    """The float16 at byte `start` of each block, as float32 [n, 1]."""
    pair = np.ascontiguousarray(blocks[:, start : start + 2])
    return pair.view(np.float16).astype(np.float32)


def decode_q4_0(blocks: Bytes, out: Floats) -> None:
    """d · (q − 8)."""
    _nibbles(blocks[:, 2:], out)
    out -= np.float32(8)
    out *= float16_column(blocks, 0)


def decode_q4_1(blocks: Bytes, out: Floats) -> None:
    """d · q + m."""
    _nibbles(blocks[:, 4:], out)
    out *= float16_column(blocks, 0)
    out += float16_column(blocks, 2)


def decode_q5_0(blocks: Bytes, out: Floats) -> None:
    """d · (q − 16); the fifth bits of the 32 weights are the four bytes before the nibbles."""
    _five_bits(blocks[:, 2:6], blocks[:, 6:], out)
    out -= np.float32(16)
    out *= float16_column(blocks, 0)


def decode_q5_1(blocks: Bytes, out: Floats) -> None:
    """d · q + m; fifth bits as in Q5_0."""
    _five_bits(blocks[:, 4:8], blocks[:, 8:], out)
    out *= float16_column(blocks, 0)
    out += float16_column(blocks, 2)


def decode_q8_0(blocks: Bytes, out: Floats) -> None:
    """d · q with q in int8."""
    out[...] = blocks[:, 2:].view(np.int8)
    out *= float16_column(blocks, 0)


def decode_iq4_nl(blocks: Bytes, out: Floats) -> None:
    """d · level[q]: 4-bit indices into 16 uneven levels."""
    levels = np.array(_IQ4_NL_LEVELS, dtype=np.float32)
    np.take(levels, blocks[:, 2:] & 15, out=out[:, :16], mode="clip")
    np.take(levels, blocks[:, 2:] >> 4, out=out[:, 16:], mode="clip")
    out *= float16_column(blocks, 0)


def _nibbles(packed: Bytes, out: Floats) -> None:
    """Write the low nibbles of 16 bytes, then the high ones: [n, 16] → [n, 32]."""
    out[:, :16] = packed & 15
    out[:, 16:] = packed >> 4


def _five_bits(high: Bytes, packed: Bytes, out: Floats) -> None:
    """Write nibbles with their fifth bit: bit i of high [n, 4] belongs to weight i."""
    fifth = np.unpackbits(high, axis=-1, bitorder="little") << 4  # [n, 32]
    out[:, :16] = (packed & 15) | fifth[:, :16]
    out[:, 16:] = (packed >> 4) | fifth[:, 16:]
