"""Feed-forward parts: the gated MLP, and the experts that stand beside it in 26B-A4B.

Letters: T tokens, D model width, F ffn, E experts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import MoeConfig
from ..ops.moe import route, run_experts
from ..ops.norm import rms_norm


class MLP(nn.Module):
    """down(gelu(gate(x)) · up(x)), gelu in its tanh form."""

    def __init__(self, hidden_size: int, intermediate_size: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x [T, D] → [T, D]."""
        gated = F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x)
        return self.down_proj(gated)


class Router(nn.Module):
    """Chooses each token's experts from the residual stream itself, not from its normed copy."""

    def __init__(self, hidden_size: int, moe: MoeConfig, eps: float) -> None:
        super().__init__()
        self.proj = nn.Linear(hidden_size, moe.num_experts, bias=False)
        self.scale = nn.Parameter(torch.ones(hidden_size))
        self.per_expert_scale = nn.Parameter(torch.ones(moe.num_experts))
        self.top_k = moe.top_k
        self.eps = eps

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """Weights [T, k] and expert indices [T, k] for the residual stream [T, D]."""
        scaled = rms_norm(residual, None, self.eps) * self.scale * residual.shape[-1] ** -0.5
        return route(self.proj(scaled), self.per_expert_scale, self.top_k)


class Experts(nn.Module):
    """All experts' weights as two tensors, gate rows above up rows."""

    def __init__(self, hidden_size: int, moe: MoeConfig) -> None:
        super().__init__()
        width = moe.intermediate_size
        self.gate_up_proj = nn.Parameter(torch.empty(moe.num_experts, 2 * width, hidden_size))
        self.down_proj = nn.Parameter(torch.empty(moe.num_experts, hidden_size, width))

    def forward(self, x: Tensor, weights: Tensor, experts: Tensor) -> Tensor:
        """Weighted sum of each token's experts for x [T, D]."""
        return run_experts(x, weights, experts, self.gate_up_proj, self.down_proj)
