"""One decoder layer: attention, feed-forward, the per-layer input, and a scale on the whole stream."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import LayerSpec, TextConfig
from .attention import Attention, Rotation
from .batch import Batch
from .feedforward import MLP, Experts, Router
from .norm import RMSNorm


class DecoderLayer(nn.Module):
    """The norm sandwich of Gemma: each branch is normed going in and coming out."""

    def __init__(self, config: TextConfig, spec: LayerSpec) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.norm_eps
        self.spec = spec
        self.self_attn = Attention(spec, width, eps)
        self.mlp = MLP(width, spec.intermediate_size)
        self.input_layernorm = RMSNorm(width, eps)
        self.post_attention_layernorm = RMSNorm(width, eps)
        self.pre_feedforward_layernorm = RMSNorm(width, eps)
        self.post_feedforward_layernorm = RMSNorm(width, eps)
        self.has_experts = config.moe is not None
        if config.moe is not None:
            self.router = Router(width, config.moe, eps)
            self.experts = Experts(width, config.moe)
            self.post_feedforward_layernorm_1 = RMSNorm(width, eps)
            self.pre_feedforward_layernorm_2 = RMSNorm(width, eps)
            self.post_feedforward_layernorm_2 = RMSNorm(width, eps)
        if config.per_layer_dim:
            self.per_layer_input_gate = nn.Linear(width, config.per_layer_dim, bias=False)
            self.per_layer_projection = nn.Linear(config.per_layer_dim, width, bias=False)
            self.post_per_layer_input_norm = RMSNorm(width, eps)
        self.has_scalar = config.has_layer_scalar
        if config.has_layer_scalar:
            self.layer_scalar: Tensor
            self.register_buffer("layer_scalar", torch.ones(1))

    def forward(
        self, x: Tensor, rotation: Rotation, batch: Batch, per_layer: Tensor | None
    ) -> Tensor:
        """x [T, D] → [T, D]; `per_layer` [T, P] is this layer's slice."""
        attended = self.self_attn(self.input_layernorm(x), rotation, batch)
        x = x + self.post_attention_layernorm(attended)
        x = x + self.post_feedforward_layernorm(self._feed_forward(x))
        if per_layer is not None:
            gate = F.gelu(self.per_layer_input_gate(x), approximate="tanh")
            projected = self.per_layer_projection(gate * per_layer)
            x = x + self.post_per_layer_input_norm(projected)
        return x * self.layer_scalar if self.has_scalar else x

    def _feed_forward(self, x: Tensor) -> Tensor:
        dense: Tensor = self.mlp(self.pre_feedforward_layernorm(x))
        if not self.has_experts:
            return dense
        weights, experts = self.router(x)
        sparse = self.experts(self.pre_feedforward_layernorm_2(x), weights, experts)
        normed: Tensor = self.post_feedforward_layernorm_1(dense)
        return normed + self.post_feedforward_layernorm_2(sparse)
