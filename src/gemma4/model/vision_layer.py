"""One layer of the vision tower. Letters: P patches, D width, N heads, K kv heads, H head dim."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import VisionConfig
from ..ops.axial_rope import rotate_axes
from ..ops.full_attention import attend_all
from ..ops.norm import rms_norm
from .clippable_linear import ClippableLinear
from .norm import RMSNorm

Rotation = tuple[Tensor, Tensor]


class VisionLayer(nn.Module):
    """Attention and MLP, each between two norms."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.norm_eps
        self.input_layernorm = RMSNorm(width, eps)
        self.self_attn = VisionAttention(config)
        self.post_attention_layernorm = RMSNorm(width, eps)
        self.pre_feedforward_layernorm = RMSNorm(width, eps)
        self.mlp = VisionMLP(config)
        self.post_feedforward_layernorm = RMSNorm(width, eps)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        """x [..., P, D] → [..., P, D]."""
        x = x + self.post_attention_layernorm(self.self_attn(self.input_layernorm(x), rotation))
        return x + self.post_feedforward_layernorm(self.mlp(self.pre_feedforward_layernorm(x)))


class VisionAttention(nn.Module):
    """Every patch of an image sees every other; queries, keys and values are normed, scale 1."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, clips = config.hidden_size, config.clips_linears
        query_width = config.num_heads * config.head_dim
        kv_width = config.num_kv_heads * config.head_dim
        self.head_dim, self.eps = config.head_dim, config.norm_eps
        self.q_proj = ClippableLinear(width, query_width, clips=clips)
        self.k_proj = ClippableLinear(width, kv_width, clips=clips)
        self.v_proj = ClippableLinear(width, kv_width, clips=clips)
        self.o_proj = ClippableLinear(query_width, width, clips=clips)
        self.q_norm = RMSNorm(config.head_dim, config.norm_eps)
        self.k_norm = RMSNorm(config.head_dim, config.norm_eps)

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        """Attend x [..., P, D] → [..., P, D]; leading dimensions are separate images."""
        query = rotate_axes(self.q_norm(self._heads(self.q_proj(x))), *rotation)  # [..., P, N, H]
        key = rotate_axes(self.k_norm(self._heads(self.k_proj(x))), *rotation)  # [..., P, K, H]
        value = rms_norm(self._heads(self.v_proj(x)), None, self.eps)
        return self.o_proj(attend_all(query, key, value).flatten(-2))

    def _heads(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (-1, self.head_dim))


class VisionMLP(nn.Module):
    """down(gelu(gate(x)) · up(x)), gelu in its tanh form, all three layers clippable."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        width, inner, clips = config.hidden_size, config.intermediate_size, config.clips_linears
        self.gate_proj = ClippableLinear(width, inner, clips=clips)
        self.up_proj = ClippableLinear(width, inner, clips=clips)
        self.down_proj = ClippableLinear(inner, width, clips=clips)

    def forward(self, x: Tensor) -> Tensor:
        """x [..., P, D] → [..., P, D]."""
        return self.down_proj(F.gelu(self.gate_proj(x), approximate="tanh") * self.up_proj(x))
