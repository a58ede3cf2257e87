"""Products with a quantized matrix for up to eight rows at a time: as fast as the weights can be read.

A program owns one tile of 32 matrix rows and a part of the columns. One warp does it all, so that
nothing passes through shared memory but the loads themselves; many programs to a multiprocessor hide the
waiting. Integers meet the rows of x in the tensor cores, exactly; each group's sum is scaled in float32.

Letters: T rows of x, R matrix rows, C columns, E experts, P pairs of row and expert.
"""

import triton
import triton.language as tl

from .tile_values import byte_plane, gelu, nibble_plane, scale_of

ROWS_AT_ONCE = 8  # the least width of a tensor core's product


@triton.jit
def _tile_sums(
    words, scales, x, x_rows, valid, tile, first_block, end_block, magic, columns, blocks,
    BITS: tl.constexpr, GROUP: tl.constexpr, BIAS: tl.constexpr, SCALE_BFLOAT16: tl.constexpr,
    N: tl.constexpr,
):  # fmt: skip
    """Sums of one tile over a range of blocks, float32 [32, N]."""
    DTYPE: tl.constexpr = x.dtype.element_ty
    BLOCK: tl.constexpr = 128 if BITS == 4 else 32
    PLANES: tl.constexpr = BLOCK // 32
    WORDS: tl.constexpr = 16 if BITS == 4 else 32
    PER_SCALE: tl.constexpr = GROUP // BLOCK if GROUP > BLOCK else 1  # blocks that share a scale
    row = tl.arange(0, 32)
    word = tl.arange(0, WORDS)
    column = tl.arange(0, 32)
    scale_columns = (blocks + PER_SCALE - 1) // PER_SCALE
    words += tile.to(tl.int64) * blocks * (32 * WORDS)
    scales += tile.to(tl.int64) * scale_columns * 32
    sums = tl.zeros((32, N), tl.float32)
    for block in range(first_block, end_block):
        loaded = tl.load(words + block * (32 * WORDS) + row[:, None] * WORDS + word[None, :])
        scale_words = tl.load(scales + (block // PER_SCALE) * 32 + row)
        for plane in tl.static_range(PLANES):
            at = block * BLOCK + plane * 32 + column
            x_part = tl.load(
                x + x_rows[None, :] * columns + at[:, None],
                mask=valid[None, :] & (at < columns)[:, None],
                other=0.0,
            )  # [32, N]
            if BITS == 4:
                integers = nibble_plane(loaded, plane, magic, BIAS, DTYPE, 32)
            else:
                integers = byte_plane(loaded, DTYPE, 32)
            scale = scale_of(scale_words, (plane * 32 // GROUP), SCALE_BFLOAT16)
            sums += tl.dot(integers, x_part, out_dtype=tl.float32) * scale[:, None]
    return sums


@triton.jit
def packed_linear_kernel(
    words, scales, x, out, slots, tile_experts,
    magic, num_pairs, x_divisor, rows, columns, blocks, blocks_per_split, matrix_tiles,
    BITS: tl.constexpr, GROUP: tl.constexpr, BIAS: tl.constexpr, SCALE_BFLOAT16: tl.constexpr,
    GATED: tl.constexpr, ROUTED: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """out[split, pair, :] = W · x[pair // x_divisor]; programs: tiles of W, tiles of pairs, splits."""
    tile = tl.program_id(0)
    pair_tile = tl.program_id(1)
    split = tl.program_id(2)
    lane = tl.arange(0, N)
    if ROUTED:
        expert = tl.load(tile_experts + pair_tile)
        if expert < 0:
            return
        pairs = tl.load(slots + pair_tile * N + lane)
        valid = pairs >= 0
        weight_tile = expert * matrix_tiles + tile
    else:
        pairs = pair_tile * N + lane
        valid = pairs < num_pairs
        weight_tile = tile
    first = split * blocks_per_split
    end = tl.minimum(first + blocks_per_split, blocks)
    x_rows = pairs // x_divisor
    sums = _tile_sums(
        words, scales, x, x_rows, valid, weight_tile, first, end, magic, columns, blocks,
        BITS, GROUP, BIAS, SCALE_BFLOAT16, N,
    )  # fmt: skip
    if GATED:  # the up rows lie `rows` further down
        up = _tile_sums(
            words, scales, x, x_rows, valid, weight_tile + rows // 32, first, end, magic, columns,
            blocks, BITS, GROUP, BIAS, SCALE_BFLOAT16, N,
        )  # fmt: skip
        sums = gelu(sums) * up
    row = tile * 32 + tl.arange(0, 32)
    tl.store(
        out + (split * num_pairs + pairs)[None, :] * rows + row[:, None],
        sums.to(out.dtype.element_ty),
        mask=valid[None, :] & (row < rows)[:, None],
    )
