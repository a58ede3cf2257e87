"""Products with a quantized matrix for many rows: tiles of weights are expanded on their way to the
tensor cores, so the expanded matrix never stands in memory.

A weight is its integer times its scale in float32, rounded once to the type of x.

Letters: T rows of x, R matrix rows, C columns, E experts, P pairs of row and expert.
"""

import triton
import triton.language as tl

from .tile_values import byte_plane, gelu, nibble_plane, scale_of


@triton.jit
def _expand(
    words, scales, tile_at, scale_at, block, plane: tl.constexpr, magic,
    BITS: tl.constexpr, GROUP: tl.constexpr, BIAS: tl.constexpr, SCALE_BFLOAT16: tl.constexpr,
    DTYPE: tl.constexpr, ROWS: tl.constexpr,
):  # fmt: skip
    """The 32 columns of a plane of a block, as weights [ROWS, 32] of DTYPE."""
    BLOCK: tl.constexpr = 128 if BITS == 4 else 32
    WORDS: tl.constexpr = 16 if BITS == 4 else 32
    PER_SCALE: tl.constexpr = GROUP // BLOCK if GROUP > BLOCK else 1
    word = tl.arange(0, WORDS)
    loaded = tl.load(words + tile_at[:, None] + block * (32 * WORDS) + word[None, :])
    if BITS == 4:
        integers = nibble_plane(loaded, plane, magic, BIAS, DTYPE, ROWS)
    else:
        integers = byte_plane(loaded, DTYPE, ROWS)
    packed = tl.load(scales + scale_at + (block // PER_SCALE) * 32)
    scale = scale_of(packed, plane * 32 // GROUP, SCALE_BFLOAT16)
    return (integers.to(tl.float32) * scale[:, None]).to(DTYPE)


@triton.jit
def packed_matmul_kernel(
    words, scales, x, out, slots, tile_experts,
    magic, num_pairs, x_divisor, rows, columns, blocks, matrix_tiles,
    BITS: tl.constexpr, GROUP: tl.constexpr, BIAS: tl.constexpr, SCALE_BFLOAT16: tl.constexpr,
    GATED: tl.constexpr, ROUTED: tl.constexpr, ROWS: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """out[pair, :] = W · x[pair // x_divisor]; programs: tiles of ROWS of W, tiles of N pairs."""
    DTYPE: tl.constexpr = x.dtype.element_ty
    BLOCK: tl.constexpr = 128 if BITS == 4 else 32
    WORDS: tl.constexpr = 16 if BITS == 4 else 32
    PER_SCALE: tl.constexpr = GROUP // BLOCK if GROUP > BLOCK else 1
    pair_tile = tl.program_id(1)
    first_tile = 0
    if ROUTED:
        expert = tl.load(tile_experts + pair_tile)
        if expert < 0:
            return
        pairs = tl.load(slots + pair_tile * N + tl.arange(0, N))
        valid = pairs >= 0
        first_tile = expert * matrix_tiles
    else:
        pairs = pair_tile * N + tl.arange(0, N)
        valid = pairs < num_pairs
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    safe = tl.minimum(row, rows - 1)  # the last program may reach beyond the matrix
    tile = (first_tile + safe // 32).to(tl.int64)
    scale_columns = (blocks + PER_SCALE - 1) // PER_SCALE
    tile_at = tile * (blocks * 32 * WORDS) + (safe % 32) * WORDS
    scale_at = tile * (scale_columns * 32) + safe % 32
    up_at = tile_at + (rows // 32).to(tl.int64) * (blocks * 32 * WORDS)
    up_scale_at = scale_at + (rows // 32) * (scale_columns * 32)
    x_rows = pairs // x_divisor
    sums = tl.zeros((ROWS, N), tl.float32)
    ups = tl.zeros((ROWS, N), tl.float32)
    for block in range(blocks):
        for plane in tl.static_range(BLOCK // 32):
            at = block * BLOCK + plane * 32 + tl.arange(0, 32)
            x_part = tl.load(
                x + x_rows.to(tl.int64)[None, :] * columns + at[:, None],
                mask=valid[None, :] & (at < columns)[:, None],
                other=0.0,
            )  # [32, N]
            weights = _expand(
                words, scales, tile_at, scale_at, block, plane, magic,
                BITS, GROUP, BIAS, SCALE_BFLOAT16, DTYPE, ROWS,
            )  # fmt: skip
            sums = tl.dot(weights, x_part, sums)
            if GATED:
                weights = _expand(
                    words, scales, up_at, up_scale_at, block, plane, magic,
                    BITS, GROUP, BIAS, SCALE_BFLOAT16, DTYPE, ROWS,
                )  # fmt: skip
                ups = tl.dot(weights, x_part, ups)
    if GATED:
        sums = gelu(sums) * ups
    tl.store(
        out + pairs.to(tl.int64)[None, :] * rows + row[:, None],
        sums.to(out.dtype.element_ty),
        mask=valid[None, :] & (row < rows)[:, None],
    )
