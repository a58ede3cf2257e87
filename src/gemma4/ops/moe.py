"""Mixture of experts: softmax over all experts, then the best k, renormalised, then scaled per expert.

Letters: T tokens, D model width, E experts, F expert width, k experts a token.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def route(logits: Tensor, per_expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """Choose experts.

    Args:
        logits: [T, E] of the router, in the model's dtype.
        per_expert_scale: [E].

    Returns:
        Weights [T, k] in the logits' dtype, and expert indices int64 [T, k].
    """
    probabilities = F.softmax(logits, dim=-1, dtype=torch.float32)
    weights, experts = probabilities.topk(top_k, dim=-1)
    weights = weights / weights.sum(dim=-1, keepdim=True)
    return (weights * per_expert_scale[experts]).to(logits.dtype), experts


def run_experts(
    x: Tensor, weights: Tensor, experts: Tensor, gate_up: Tensor, down: Tensor
) -> Tensor:
    """Σ over a token's experts of weight · down(gelu(gate(x)) · up(x)), [T, D].

    Args:
        x: [T, D]. weights, experts: [T, k].
        gate_up: [E, 2F, D], gate rows first. down: [E, D, F].
    """
    out = torch.zeros_like(x)
    for expert in experts.unique().tolist():
        token, slot = (experts == expert).nonzero(as_tuple=True)
        gate, up = F.linear(x[token], gate_up[expert]).chunk(2, dim=-1)
        expert_out = F.linear(F.gelu(gate, approximate="tanh") * up, down[expert])
        out.index_add_(0, token, expert_out * weights[token, slot, None])
    return out
