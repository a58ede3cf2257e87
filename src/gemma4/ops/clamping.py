"""Clamping of activations to what their dtype can hold."""

import torch
from torch import Tensor


def clamp_activations(x: Tensor, limit: float) -> Tensor:
    """x within ±limit, or within ±the largest finite number of its dtype if that is smaller."""
    bound = min(limit, torch.finfo(x.dtype).max)
    return x.clamp(-bound, bound)
