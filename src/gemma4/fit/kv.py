"""Bytes of keys and values: windows, sharing and K = V counted layer by layer.

Letters: K kv heads, H head dim, W window.

    full layer       2 · K · H numbers a token, for every token
    sliding layer    2 · K · H numbers a token, for the last W tokens
    borrowing layer  none
    K = V            still both: keys are normed and rotated, values are neither
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ..config import LayerSpec, TextConfig
from ..errors import ConfigError
from .precision import encoded_bytes

KV_ENCODINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "float32": "F32",
        "float16": "F16",
        "bfloat16": "BF16",
        "q8_0": "Q8_0",
        "q4_0": "Q4_0",
    }
)
"""Name of a precision for keys and values → encoding."""

DECODE_SLACK: Final = 128
"""Rows a sliding layer may append before it moves its window to the front of its buffer."""


def kv_cache_bytes(
    text: TextConfig, *, context: int, users: int = 1, dtype: str = "bfloat16"
) -> int:
    """Bytes of the keys and values that `users` conversations of `context` tokens keep.

    Raises:
        ConfigError: the dtype is unknown.
    """
    return users * sum(
        _row_bytes(spec, dtype) * min(context, spec.window or context)
        for spec in text.plan_layers()
        if spec.owns_kv
    )


def kv_buffer_bytes(
    text: TextConfig, *, context: int, users: int = 1, dtype: str = "bfloat16"
) -> int:
    """Bytes of the buffers that hold them: sliding layers keep a drafter's key and some slack."""
    return users * sum(
        _row_bytes(spec, dtype)
        * min(context, context if spec.window is None else spec.window + 1 + DECODE_SLACK)
        for spec in text.plan_layers()
        if spec.owns_kv
    )


def _row_bytes(spec: LayerSpec, dtype: str) -> int:
    """Bytes of one token's keys and values in one layer."""
    if dtype not in KV_ENCODINGS:
        raise ConfigError(f"KV precision {dtype!r} is unknown; known: {', '.join(KV_ENCODINGS)}")
    return 2 * encoded_bytes(KV_ENCODINGS[dtype], (spec.num_kv_heads, spec.head_dim))
