"""The norm sandwich in one go: sum a branch's parts, norm it, add it to the stream, norm the stream again.

Everything between reading and writing is float32.

Letters: T rows, D width, S parts of a branch, M norms of the new stream.
"""

import triton
import triton.language as tl


@triton.jit
def _sum_parts(
    parts, part_weights, row, at, inside, num_parts, part_stride, row_stride, WEIGHTED: tl.constexpr
):
    """Σ of a branch's parts at some columns, in order, float32."""
    total = tl.zeros(at.shape, tl.float32)
    for part in range(num_parts):
        value = tl.load(
            parts + part * part_stride + row * row_stride + at, mask=inside, other=0.0
        ).to(tl.float32)
        if WEIGHTED:
            value *= tl.load(part_weights + row * num_parts + part).to(tl.float32)
        total += value
    return total


@triton.jit
def _norm(x, weight, at, inside, width, eps):
    """x / √(mean(x²) + eps) · weight."""
    inverse = 1.0 / tl.sqrt(tl.sum(x * x, axis=0) / width + eps)
    return x * inverse * tl.load(weight + at, mask=inside, other=0.0).to(tl.float32)


@triton.jit
def add_norm_kernel(
    x, parts, branch_weight, scalar, next_weights, x_out, normed,
    eps, width, num_rows, num_parts, part_stride, row_stride,
    HAS_BRANCH: tl.constexpr, HAS_SCALAR: tl.constexpr, NUM_NEXT: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """x_out = (x + norm(Σ parts)) · scalar; normed[m] = norm(x_out) · next_weights[m]. A program a row."""
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < width
    stream = tl.load(x + row * width + at, mask=inside, other=0.0).to(tl.float32)
    if HAS_BRANCH:
        branch = _sum_parts(
            parts, parts, row, at, inside, num_parts, part_stride, row_stride, WEIGHTED=False
        )
        stream += _norm(branch, branch_weight, at, inside, width, eps)
        if HAS_SCALAR:
            stream *= tl.load(scalar).to(tl.float32)
        rounded = stream.to(x_out.dtype.element_ty)
        tl.store(x_out + row * width + at, rounded, mask=inside)
        stream = rounded.to(tl.float32)  # the norms see what the next layer will read
    if NUM_NEXT > 0:
        inverse = 1.0 / tl.sqrt(tl.sum(stream * stream, axis=0) / width + eps)
        for number in tl.static_range(NUM_NEXT):
            weight = tl.load(next_weights + number * width + at, mask=inside, other=0.0)
            tl.store(
                normed + (number * num_rows + row) * width + at,
                (stream * inverse * weight.to(tl.float32)).to(normed.dtype.element_ty),
                mask=inside,
            )


@triton.jit
def join_experts_kernel(
    dense, dense_weight, sparse, pair_weights, sparse_weight, out,
    eps, width, dense_parts, dense_part_stride, experts_per_row,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """out = norm(Σ dense parts) + norm(Σ pair weight · expert output), float32. A program a row.

    sparse [T, k, D] are the outputs of a row's experts, pair_weights [T, k].
    """
    row = tl.program_id(0).to(tl.int64)
    at = tl.arange(0, BLOCK)
    inside = at < width
    plain = _sum_parts(
        dense, dense, row, at, inside, dense_parts, dense_part_stride, width, WEIGHTED=False
    )
    routed = _sum_parts(
        sparse, pair_weights, row, at, inside, experts_per_row, width, experts_per_row * width,
        WEIGHTED=True,
    )  # fmt: skip
    total = _norm(plain, dense_weight, at, inside, width, eps)
    total += _norm(routed, sparse_weight, at, inside, width, eps)
    tl.store(out + row * width + at, total.to(out.dtype.element_ty), mask=inside)
