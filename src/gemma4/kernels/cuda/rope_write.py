"""Between the projections and attention, in one go: head norms, rotation, and keys and values into pages.

A program owns one head of one token. Heads come in the order of the stacked projection: queries, keys,
values; a key's program also writes the value where values are keys.

    keys of a layer     [pages, K, H, 32]  behind each other at `key_stride`
    values of a layer   [pages, K, 32, H]                      `value_stride`

Letters: T tokens, N query heads, K kv heads, H head dim, S splits of the projection.
"""

import triton
import triton.language as tl


@triton.jit
def _head_norm(first, second, weight, half, HALF: tl.constexpr, eps, WEIGHTED: tl.constexpr):
    """Both halves of a head, normed over the whole head."""
    mean = (tl.sum(first * first, axis=0) + tl.sum(second * second, axis=0)) / (2 * HALF)
    inverse = 1.0 / tl.sqrt(mean + eps)
    first *= inverse
    second *= inverse
    if WEIGHTED:
        first *= tl.load(weight + half).to(tl.float32)
        second *= tl.load(weight + HALF + half).to(tl.float32)
    return first, second


@triton.jit
def rope_write_kernel(
    projected, query_weight, key_weight, cos, sin, query, keys, values,
    positions, requests, table, eps,
    num_parts, part_stride, row_stride, key_stride, value_stride, table_width,
    N: tl.constexpr, K: tl.constexpr, HALF: tl.constexpr,
    KEYS_ARE_VALUES: tl.constexpr, NORM_VALUES: tl.constexpr,
):  # fmt: skip
    """Programs: tokens, heads. A token whose position is negative stands for nobody and writes nothing."""
    token = tl.program_id(0).to(tl.int64)
    head = tl.program_id(1)
    position = tl.load(positions + token)
    if position < 0:
        return
    half = tl.arange(0, HALF)
    first = tl.zeros((HALF,), tl.float32)
    second = tl.zeros((HALF,), tl.float32)
    for part in range(num_parts):
        place = projected + part * part_stride + token * row_stride + head * (2 * HALF) + half
        first += tl.load(place).to(tl.float32)
        second += tl.load(place + HALF).to(tl.float32)
    cosine = tl.load(cos + token * HALF + half).to(tl.float32)
    sine = tl.load(sin + token * HALF + half).to(tl.float32)

    if head < N:
        a, b = _head_norm(first, second, query_weight, half, HALF, eps, WEIGHTED=True)
        out = query + (token * N + head) * (2 * HALF) + half
        tl.store(out, (a * cosine - b * sine).to(query.dtype.element_ty))
        tl.store(out + HALF, (b * cosine + a * sine).to(query.dtype.element_ty))
    else:
        request = tl.load(requests + token).to(tl.int64)
        page = tl.load(table + request * table_width + position // 32).to(tl.int64)
        slot = position % 32
        if head < N + K:
            a, b = _head_norm(first, second, key_weight, half, HALF, eps, WEIGHTED=True)
            out = keys + page * key_stride + ((head - N) * (2 * HALF) + half) * 32 + slot
            tl.store(out, (a * cosine - b * sine).to(keys.dtype.element_ty))
            tl.store(out + HALF * 32, (b * cosine + a * sine).to(keys.dtype.element_ty))
        if (head >= N + K) | KEYS_ARE_VALUES:
            kv_head = (head - N) % K
            if NORM_VALUES:
                first, second = _head_norm(
                    first, second, key_weight, half, HALF, eps, WEIGHTED=False
                )
            out = values + page * value_stride + (kv_head * 32 + slot) * (2 * HALF) + half
            tl.store(out, first.to(values.dtype.element_ty))
            tl.store(out + HALF, second.to(values.dtype.element_ty))
