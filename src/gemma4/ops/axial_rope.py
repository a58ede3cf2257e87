"""Rotary embedding on a plane: half of each head turns with x, the other half with y.

Letters: P patches, N heads, H head dim.
"""

import torch
from torch import Tensor

from .rope import rotate


def axial_cos_sin(
    positions: Tensor, head_dim: int, theta: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Cosine and sine for positions [..., P, 2], each [..., P, 1, 2, H/4]; angles in float32.

    Each axis has the frequencies of a head of half the width: theta^(−2i/(H/2)).
    """
    axis_dim = head_dim // 2
    steps = torch.arange(0, axis_dim, 2, dtype=torch.float32, device=positions.device)
    frequencies = 1.0 / theta ** (steps / axis_dim)  # [H/4]
    angles = (positions.float()[..., None] * frequencies).unsqueeze(-3)  # [..., P, 1, 2, H/4]
    return angles.cos().to(dtype), angles.sin().to(dtype)


def rotate_axes(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the x half and the y half of x [..., P, N, H], each in its own pairs (i, i + H/4)."""
    halves = torch.unflatten(x, -1, (2, -1))  # [..., P, N, 2, H/2]
    return rotate(halves, cos, sin).flatten(-2)  # [..., P, N, H]
