"""Attention of many queries a request over pages: chunks of prompts, drafts being verified.

A program owns a run of tokens of one request and one kv head; its rows are the tokens times the query
heads that share the keys. Query t sees the keys low[t] … high[t] − 1: the window bounds it below, its own
position or the end of its image above.

Letters: T tokens, N query heads, K kv heads, H head dim, Q runs of tokens.
"""

import triton
import triton.language as tl

LOG2_E = tl.constexpr(1.4426950408889634)


@triton.jit
def prefill_attention_kernel(
    query, keys, values, table, low, high, run_starts, run_lengths, run_requests, out,
    scale, key_stride, value_stride, table_width,
    K: tl.constexpr, GROUP: tl.constexpr, GROUP_ROWS: tl.constexpr, TOKENS: tl.constexpr,
    H: tl.constexpr,
):  # fmt: skip
    """out[T, N, H]. Programs: runs of up to TOKENS tokens, kv heads."""
    run = tl.program_id(0)
    kv_head = tl.program_id(1)
    start = tl.load(run_starts + run)
    length = tl.load(run_lengths + run)
    request = tl.load(run_requests + run)
    row = tl.arange(0, TOKENS * GROUP_ROWS)
    token, member = row // GROUP_ROWS, row % GROUP_ROWS
    real = (token < length) & (member < GROUP)
    lane = tl.arange(0, 32)
    dim = tl.arange(0, H)
    row_low = tl.load(low + start + token, mask=real, other=2147483647)
    row_high = tl.load(high + start + token, mask=real, other=0)
    first_key = tl.min(row_low, axis=0)
    end_key = tl.max(row_high, axis=0)
    head = kv_head * GROUP + member
    place = ((start + token) * (K * GROUP) + head).to(tl.int64)[:, None] * H + dim[None, :]
    q = tl.load(query + place, mask=real[:, None], other=0.0)
    best = tl.full(
        (TOKENS * GROUP_ROWS,), -1e30, tl.float32
    )  # finite: a row may see none of a block
    total = tl.zeros((TOKENS * GROUP_ROWS,), tl.float32)
    sums = tl.zeros((TOKENS * GROUP_ROWS, H), tl.float32)
    for block in range(first_key // 32, (end_key + 31) // 32):
        page = tl.load(table + request * table_width + block).to(tl.int64)
        key = tl.load(
            keys + page * key_stride + (kv_head * H + dim)[:, None] * 32 + lane[None, :]
        )  # [H, 32]
        at = block * 32 + lane
        value = tl.load(  # an unwritten lane may hold anything, and 0 · NaN is NaN
            values + page * value_stride + (kv_head * 32 + lane)[:, None] * H + dim[None, :],
            mask=((at >= first_key) & (at < end_key))[:, None],
            other=0.0,
        )  # [32, H]
        seen = (at[None, :] >= row_low[:, None]) & (at[None, :] < row_high[:, None])
        scores = tl.dot(q, key, input_precision="ieee") * (scale * LOG2_E)
        scores = tl.where(seen, scores, -float("inf"))
        new_best = tl.maximum(best, tl.max(scores, axis=1))
        shrink = tl.exp2(best - new_best)
        weights = tl.exp2(scores - new_best[:, None])
        total = total * shrink + tl.sum(weights, axis=1)
        sums = sums * shrink[:, None]
        sums = tl.dot(weights.to(value.dtype), value, sums, input_precision="ieee")
        best = new_best
    result = sums / tl.where(real, total, 1.0)[:, None]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=real[:, None])
