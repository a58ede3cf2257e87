"""Attention of one query a request over pages, split over the keys so that few requests fill the machine.

A program owns one kv head of one request and a run of its blocks of 32 keys; the query heads that share
the keys are its rows. A second kernel joins the runs.

    sums      [B, N, splits, H]  softmax numerators over a run's own denominator, float32
    log_sums  [B, N, splits]     base-2 logarithm of that denominator, −∞ for an empty run

Letters: B requests, N query heads, K kv heads, H head dim.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def decode_attention_kernel(
    query, keys, values, table, positions, sums, log_sums,
    window, scale, key_stride, value_stride, table_width, num_splits,
    K: tl.constexpr, GROUP: tl.constexpr, ROWS: tl.constexpr, H: tl.constexpr,
):  # fmt: skip
    """Programs: requests, kv heads, splits. `window` is at least the context where there is none."""
    request = tl.program_id(0)
    kv_head = tl.program_id(1)
    split = tl.program_id(2)
    position = tl.load(positions + request)
    if position < 0:
        return
    low = tl.maximum(position - window + 1, 0)
    first_block = low // 32
    num_blocks = position // 32 + 1 - first_block
    per_split = (num_blocks + num_splits - 1) // num_splits
    start = first_block + split * per_split
    end = tl.minimum(start + per_split, first_block + num_blocks)

    member = tl.arange(0, ROWS)  # query heads of the group; the tensor cores want at least 16
    lane = tl.arange(0, 32)
    dim = tl.arange(0, H)
    head = kv_head * GROUP + member
    place = (request * K * GROUP + head)[:, None].to(tl.int64) * H + dim[None, :]
    q = tl.load(query + place, mask=(member < GROUP)[:, None], other=0.0)
    best = tl.full((ROWS,), -float("inf"), tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    out = tl.zeros((ROWS, H), tl.float32)
    for block in range(start, end):
        page = tl.load(table + request * table_width + block).to(tl.int64)
        key = tl.load(
            keys + page * key_stride + (kv_head * H + dim)[:, None] * 32 + lane[None, :]
        )  # [H, 32]
        at = block * 32 + lane
        seen = (at >= low) & (at <= position)
        value = tl.load(  # an unwritten lane may hold anything, and 0 · NaN is NaN
            values + page * value_stride + (kv_head * 32 + lane)[:, None] * H + dim[None, :],
            mask=seen[:, None],
            other=0.0,
        )  # [32, H]
        scores = tl.dot(q, key, input_precision="ieee") * (scale * LOG2_E)
        scores = tl.where(seen[None, :], scores, -float("inf"))
        new_best = tl.maximum(best, tl.max(scores, axis=1))  # a run's first block has a seen key
        shrink = tl.exp2(best - new_best)
        weights = tl.exp2(scores - new_best[:, None])
        total = total * shrink + tl.sum(weights, axis=1)
        out = out * shrink[:, None]
        out = tl.dot(weights.to(value.dtype), value, out, input_precision="ieee")
        best = new_best
    ran = end > start
    total = tl.where(ran, total, 1.0)
    log_sum = tl.where(ran, best + tl.log2(total), -float("inf"))
    out = out / total[:, None]
    row = (request * K * GROUP + head).to(tl.int64) * num_splits + split
    tl.store(log_sums + row, log_sum, mask=member < GROUP)
    tl.store(sums + row[:, None] * H + dim[None, :], out, mask=(member < GROUP)[:, None])


@triton.jit
def join_splits_kernel(
    sums,
    log_sums,
    positions,
    out,
    num_splits,
    N: tl.constexpr,
    H: tl.constexpr,
    SPLITS: tl.constexpr,
):
    """out[B, N, H] = Σ of the splits' sums · their share of the denominator. Programs: requests, heads."""
    request = tl.program_id(0)
    row = (request * N + tl.program_id(1)).to(tl.int64)
    dim = tl.arange(0, H)
    split = tl.arange(0, SPLITS)
    if tl.load(positions + request) < 0:
        tl.store(out + row * H + dim, tl.zeros((H,), out.dtype.element_ty))
        return
    logs = tl.load(
        log_sums + row * num_splits + split, mask=split < num_splits, other=-float("inf")
    )
    shares = tl.exp2(logs - tl.max(logs, axis=0))
    shares = shares / tl.sum(shares, axis=0)
    parts = tl.load(
        sums + (row * num_splits + split)[:, None] * H + dim[None, :],
        mask=(shares > 0)[:, None],
        other=0.0,
    )
    joined = tl.sum(parts * shares[:, None], axis=0)
    tl.store(out + row * H + dim, joined.to(out.dtype.element_ty))
