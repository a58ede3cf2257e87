"""The dtype that weights get which are stored in no dtype to compute in: blocks, 4-bit words, float16."""

from typing import Final

EXPANDED_SHARE: Final = 2
"""Weights may take one part in so many of the free memory for the sake of float32."""


def expanded_dtype(num_values: int, available_bytes: int) -> str:
    """float32 if that takes at most half of the memory that is free, else bfloat16.

    Args:
        num_values: of all tensors but the per-layer table, which stays on disk.
    """
    fits = num_values * 4 * EXPANDED_SHARE <= available_bytes
    return "float32" if fits else "bfloat16"
