"""Bytes of keys and values: windows, sharing and K = V counted layer by layer.

Letters: K kv heads, H head dim, W window.

    full layer       2 · K · H numbers a token, for every token
    sliding layer    2 · K · H numbers a token, for the last W tokens
    borrowing layer  none
    K = V            still both: keys are normed and rotated, values are neither
    8 bits           a byte for a number, and a float32 scale for each token and head
"""

from ..config import LayerSpec, TextConfig, plan_kv_groups
from .pages import plan_bytes, plan_pages, row_bytes


def kv_cache_bytes(
    text: TextConfig, *, context: int, users: int = 1, dtype: str = "bfloat16"
) -> int:
    """Bytes of the keys and values that `users` conversations of `context` tokens need.

    Raises:
        ConfigError: the dtype is unknown.
    """
    return users * sum(
        _row_bytes(spec, dtype) * min(context, spec.window or context)
        for spec in text.plan_layers()
        if spec.owns_kv
    )


def kv_page_bytes(
    text: TextConfig, *, context: int, users: int = 1, dtype: str = "bfloat16"
) -> int:
    """Bytes of the pages that the engine fills with them, and with windows that it remembers.

    Raises:
        ConfigError: the dtype is unknown.
    """
    groups = plan_kv_groups(text.plan_layers())
    pages = plan_pages(groups, context=users * context, max_requests=users)
    return plan_bytes(groups, pages, dtype)


def _row_bytes(spec: LayerSpec, dtype: str) -> int:
    """Bytes of one token's keys and values in one layer."""
    return 2 * spec.num_kv_heads * row_bytes(spec.head_dim, dtype)
