"""Attention of one request: causal, windowed, and both ways inside an image.

Letters: T queries, S keys, N query heads, K kv heads, H head dim. Query head n reads kv head n // (N/K).

    keys of a request     0 ........ first ............... first + S
    window W              query at p sees keys in (p − W, p]
    span (image)          and, on sliding layers, the keys of its own image after p
"""

import torch
import torch.nn.functional as F
from torch import Tensor

QUERY_BLOCK = 128  # a block skips the keys after it: faster than longer ones, down to here


def visible(
    query_positions: Tensor,
    key_positions: Tensor,
    window: int | None,
    query_spans: Tensor | None = None,
    key_spans: Tensor | None = None,
) -> Tensor:
    """Which keys each query sees, bool [T, S].

    Args:
        query_positions: int64 [T]. key_positions: int64 [S].
        window: keys seen, the query's own included; None sees all before it.
        query_spans, key_spans: image numbers, −1 outside images; equal ones ≥ 0 see each other.
    """
    distance = query_positions[:, None] - key_positions[None, :]
    seen = distance >= 0
    if query_spans is not None and key_spans is not None:
        seen |= (query_spans[:, None] == key_spans[None, :]) & (query_spans[:, None] >= 0)
    if window is not None:
        seen &= distance < window  # the lower bound alone, as the reference has it
    return seen


def attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    query_positions: Tensor,
    first_key: int,
    window: int | None,
    scale: float,
    query_spans: Tensor | None = None,
    key_spans: Tensor | None = None,
) -> Tensor:
    """Softmax(scale · query·keyᵀ + mask) · value for one request, [T, N, H].

    Queries go in blocks, each with the keys it can see at all, so that a long prompt needs neither a
    [T, S] mask nor, on sliding layers, T·S products.

    Args:
        query: [T, N, H]. key, value: [S, K, H], at positions first_key … first_key + S − 1.
        query_positions: int64 [T], ascending.
    """
    if query.shape[0] == 1:  # one row sees a plain range of keys: no mask
        return _attend_block(
            query, key, value, query_positions, first_key, window, scale, query_spans, key_spans
        )
    return torch.cat(
        [
            _attend_block(
                query[start : start + QUERY_BLOCK],
                key,
                value,
                query_positions[start : start + QUERY_BLOCK],
                first_key,
                window,
                scale,
                None if query_spans is None else query_spans[start : start + QUERY_BLOCK],
                key_spans,
            )
            for start in range(0, query.shape[0], QUERY_BLOCK)
        ]
    )


def _attend_block(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    query_positions: Tensor,
    first_key: int,
    window: int | None,
    scale: float,
    query_spans: Tensor | None,
    key_spans: Tensor | None,
) -> Tensor:
    last = int(query_positions[-1])
    low = 0 if window is None else max(0, int(query_positions[0]) - window + 1 - first_key)
    # An image may reach beyond the block's last query; without images nothing after it is seen.
    high = key.shape[0] if key_spans is not None else min(key.shape[0], last + 1 - first_key)
    key, value = key[low:high], value[low:high]
    if query.shape[0] == 1 and key_spans is None:
        return softmax_attention(query, key, value, None, scale)
    positions = torch.arange(first_key + low, first_key + high, device=query.device)
    spans = None if key_spans is None else key_spans[low:high]
    mask = visible(query_positions, positions, window, query_spans, spans)
    return softmax_attention(query, key, value, mask, scale)


def softmax_attention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float
) -> Tensor:
    """Plain attention: query [T, N, H], key and value [S, K, H], mask bool [T, S] → [T, N, H]."""
    num_tokens, num_heads, head_dim = query.shape
    num_kv_heads = key.shape[1]
    group = num_heads // num_kv_heads
    grouped = query.view(num_tokens, num_kv_heads, group, head_dim).permute(1, 2, 0, 3)
    key, value = key.transpose(0, 1)[:, None], value.transpose(0, 1)[:, None]  # [K, 1, S, H]
    if num_tokens == 1:
        # The heads that share keys become rows of one attention: keys are read once, not once a head.
        rows = grouped.reshape(num_kv_heads, 1, group, head_dim)
        out = F.scaled_dot_product_attention(rows, key, value, attn_mask=mask, scale=scale)
        return out.reshape(1, num_heads, head_dim)
    shape = (num_kv_heads, group, key.shape[2], head_dim)
    out = F.scaled_dot_product_attention(
        grouped, key.expand(shape), value.expand(shape), attn_mask=mask, scale=scale
    )
    return out.permute(2, 0, 1, 3).reshape(num_tokens, num_heads, head_dim)
