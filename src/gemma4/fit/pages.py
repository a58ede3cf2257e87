"""How many pages of keys and values a job needs, for each group of layers.

Letters: W window.

    full group       the context's tokens, whoever they belong to
    sliding group    for each running request its last W + 1 tokens, once a step's new tokens, and windows
                     that are remembered; never more tokens than the full group has
"""

from collections.abc import Sequence
from typing import Final

from ..config import PAGE_TOKENS, KVGroup
from ..errors import ConfigError
from .activations import PREFILL_CHUNK

LONGEST_IMAGE: Final = 1120
"""Soft tokens of the largest picture: a pass takes it whole where it is seen both ways."""

REMEMBERED_BYTES: Final = 256 * 2**20
"""Room for windows of earlier requests, in 16 bits; one has room in any case."""

KV_DTYPES: Final = ("float32", "float16", "bfloat16", "int8")
"""Precisions of keys and values."""

SCALE_BYTES: Final = 4


def row_bytes(width: int, dtype: str) -> int:
    """Bytes of so many numbers of one head and token, its scale included.

    Raises:
        ConfigError: the dtype is unknown.
    """
    match dtype:
        case "float32":
            return 4 * width
        case "float16" | "bfloat16":
            return 2 * width
        case "int8":
            return width + SCALE_BYTES
        case _:
            raise ConfigError(f"KV precision {dtype!r} is unknown; known: {', '.join(KV_DTYPES)}")


def page_bytes(group: KVGroup, dtype: str) -> int:
    """Bytes of one page: keys and values of 32 tokens in all layers of the group."""
    rows = 2 * PAGE_TOKENS * len(group.layers) * group.num_kv_heads
    return rows * row_bytes(group.head_dim, dtype)


def pages_touched(tokens: int) -> int:
    """Most pages that so many neighbouring tokens lie in, wherever the first one stands."""
    return (tokens + PAGE_TOKENS - 2) // PAGE_TOKENS + 1 if tokens else 0


def held_pages(group: KVGroup, length: int, chunk: int) -> int:
    """Most pages that a request of `length` tokens holds at once, computed in chunks of so many."""
    whole = -(-length // PAGE_TOKENS)
    return whole if group.window is None else min(whole, pages_touched(group.window + 1 + chunk))


def plan_pages(
    groups: Sequence[KVGroup],
    *,
    context: int,
    max_requests: int = 1,
    prefill_chunk: int = PREFILL_CHUNK,
) -> tuple[int, ...]:
    """Pages of each group for `context` tokens in all, of up to `max_requests` running at once."""
    whole = -(-context // PAGE_TOKENS)
    plan = []
    for group in groups:
        if group.window is None:
            plan.append(whole)
            continue
        window = pages_touched(group.window + 1)
        remembered = max(1, REMEMBERED_BYTES // (window * page_bytes(group, "bfloat16")))
        shared = (max_requests + remembered) * window + pages_touched(prefill_chunk)
        alone = pages_touched(group.window + 1 + prefill_chunk + LONGEST_IMAGE)
        plan.append(min(whole, max(shared, alone)))
    return tuple(plan)


def plan_bytes(groups: Sequence[KVGroup], pages: Sequence[int], dtype: str) -> int:
    """Bytes of so many pages of each group."""
    return sum(count * page_bytes(group, dtype) for group, count in zip(groups, pages, strict=True))


def longest_context(
    groups: Sequence[KVGroup],
    *,
    kv_bytes: int,
    dtype: str,
    limit: int,
    max_requests: int = 1,
    prefill_chunk: int = PREFILL_CHUNK,
) -> int:
    """Tokens, up to `limit`, whose plan takes at most so many bytes; 0 if not one page fits."""

    def takes(context: int) -> int:
        pages = plan_pages(
            groups, context=context, max_requests=max_requests, prefill_chunk=prefill_chunk
        )
        return plan_bytes(groups, pages, dtype)

    low, high = 0, -(-limit // PAGE_TOKENS)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if takes(middle * PAGE_TOKENS) <= kv_bytes else (low, middle - 1)
    return min(limit, low * PAGE_TOKENS)
