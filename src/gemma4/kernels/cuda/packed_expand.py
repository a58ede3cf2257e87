"""A quantized matrix written out once, for prompts so long that this costs little beside the product.

Letters: R matrix rows, C columns.
"""

import triton
import triton.language as tl

from .tile_values import byte_plane, nibble_plane, scale_of


@triton.jit
def packed_expand_kernel(
    words, scales, out, magic, rows, columns, blocks,
    BITS: tl.constexpr, GROUP: tl.constexpr, BIAS: tl.constexpr, SCALE_BFLOAT16: tl.constexpr,
):  # fmt: skip
    """out[R, C] = integers · scales, rounded once; programs: tiles, blocks of columns."""
    DTYPE: tl.constexpr = out.dtype.element_ty
    BLOCK: tl.constexpr = 128 if BITS == 4 else 32
    WORDS: tl.constexpr = 16 if BITS == 4 else 32
    PER_SCALE: tl.constexpr = GROUP // BLOCK if GROUP > BLOCK else 1
    tile = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    row = tl.arange(0, 32)
    word = tl.arange(0, WORDS)
    words += (tile * blocks + block) * (32 * WORDS)
    scales += (tile * ((blocks + PER_SCALE - 1) // PER_SCALE) + block // PER_SCALE) * 32
    loaded = tl.load(words + row[:, None] * WORDS + word[None, :])
    scale_words = tl.load(scales + row)
    out_row = tile * 32 + row
    for plane in tl.static_range(BLOCK // 32):
        if BITS == 4:
            integers = nibble_plane(loaded, plane, magic, BIAS, DTYPE, 32)
        else:
            integers = byte_plane(loaded, DTYPE, 32)
        scale = scale_of(scale_words, plane * 32 // GROUP, SCALE_BFLOAT16)
        at = block * BLOCK + plane * 32 + tl.arange(0, 32)
        tl.store(
            out + out_row[:, None] * columns + at[None, :],
            (integers.to(tl.float32) * scale[:, None]).to(DTYPE),
            mask=(out_row < rows)[:, None] & (at < columns)[None, :],
        )
