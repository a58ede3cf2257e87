"""RMSNorm as a module: holds the weight, calls the operation."""

import torch
from torch import Tensor, nn

from ..ops.norm import rms_norm


class RMSNorm(nn.Module):
    """Root-mean-square norm with weight [D]."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last dimension of x [..., D]."""
        return rms_norm(x, self.weight, self.eps)
