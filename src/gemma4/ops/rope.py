"""Rotary position embedding, NeoX layout: dimension i turns with dimension i + H/2.

Letters: T tokens, N heads, H head dim.
"""

import torch
from torch import Tensor

from ..config import RopeConfig


def inverse_frequencies(rope: RopeConfig, head_dim: int) -> Tensor:
    """Angle per position of each pair, float32 [H/2]; pairs that stand still have 0.

    Gemma 4's full layers turn the first quarter of the pairs, yet divide the exponent by the whole
    head dim ("proportional"), unlike the usual partial rotary embedding.
    """
    pairs = head_dim // 2
    turning = int(rope.rotary_fraction * head_dim // 2)
    exponents = torch.arange(0, 2 * turning, 2, dtype=torch.float32) / head_dim
    frequencies = torch.zeros(pairs, dtype=torch.float32)
    frequencies[:turning] = 1.0 / (rope.theta**exponents) / rope.factor
    return frequencies


def cos_sin(positions: Tensor, frequencies: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine for positions [T], each [T, 1, H/2]; angles in float32, then cast."""
    angles = (positions.float()[:, None] * frequencies)[:, None, :]  # [T, 1, H/2]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair of x [T, N, H] by its angle."""
    first, second = x.chunk(2, dim=-1)  # each [T, N, H/2]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
