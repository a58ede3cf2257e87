"""Products with a matrix of plain numbers for up to eight rows at a time, and for the pairs of experts.

As in `packed_linear` a program owns 32 matrix rows and a part of the columns; the matrix lies as
checkpoints have it, [R, C].

Letters: T rows of x, R matrix rows, C columns, E experts, P pairs of row and expert.
"""

import triton
import triton.language as tl

from .tile_values import gelu


@triton.jit
def _row_sums(
    weight, x, row, x_rows, valid, rows, columns, first, end,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Sums of some rows over columns first … end − 1, float32 [ROWS, N]."""
    sums = tl.zeros((ROWS, N), tl.float32)
    for start in range(first, end, COLUMNS):
        at = start + tl.arange(0, COLUMNS)
        inside = at < end
        weights = tl.load(
            weight + row.to(tl.int64)[:, None] * columns + at[None, :],
            mask=(row < rows)[:, None] & inside[None, :],
            other=0.0,
        )
        x_part = tl.load(
            x + x_rows.to(tl.int64)[None, :] * columns + at[:, None],
            mask=valid[None, :] & inside[:, None],
            other=0.0,
        )
        sums = tl.dot(weights, x_part, sums, input_precision="ieee")
    return sums


@triton.jit
def dense_linear_kernel(
    weight, x, out, slots, tile_experts,
    num_pairs, x_divisor, rows, columns, columns_per_split, matrix_rows,
    GATED: tl.constexpr, ROUTED: tl.constexpr,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """out[split, pair, :] = W · x[pair // x_divisor]; programs: tiles of W, tiles of pairs, splits."""
    pair_tile = tl.program_id(1)
    split = tl.program_id(2)
    lane = tl.arange(0, N)
    if ROUTED:
        expert = tl.load(tile_experts + pair_tile)
        if expert < 0:
            return
        pairs = tl.load(slots + pair_tile * N + lane)
        valid = pairs >= 0
        weight += expert.to(tl.int64) * matrix_rows * columns
    else:
        pairs = pair_tile * N + lane
        valid = pairs < num_pairs
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    first = split * columns_per_split
    end = tl.minimum(first + columns_per_split, columns)
    x_rows = pairs // x_divisor
    sums = _row_sums(weight, x, row, x_rows, valid, rows, columns, first, end, ROWS, COLUMNS, N)
    if GATED:  # the up rows lie `rows` further down
        up = weight + rows.to(tl.int64) * columns
        ups = _row_sums(up, x, row, x_rows, valid, rows, columns, first, end, ROWS, COLUMNS, N)
        sums = gelu(sums) * ups
    tl.store(
        out + (split * num_pairs + pairs).to(tl.int64)[None, :] * rows + row[:, None],
        sums.to(out.dtype.element_ty),
        mask=valid[None, :] & (row < rows)[:, None],
    )
