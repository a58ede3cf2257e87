"""The vision tower of E2B, E4B, 26B-A4B and 31B: patches in, soft tokens out.

Knows nothing of prompts, budgets or padding. Letters: I images, P patches, D width, n soft tokens.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import VisionConfig
from ..ops.axial_rope import axial_cos_sin
from ..ops.pooling import pool_patches
from .vision_layer import Rotation, VisionLayer


class VisionTower(nn.Module):
    """Patch embedder, encoder, pooling; the large towers standardize what they give."""

    std_bias: Tensor
    std_scale: Tensor

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embedder = PatchEmbedder(config)
        self.encoder = VisionEncoder(config)
        if config.standardizes:
            self.register_buffer("std_bias", torch.zeros(config.hidden_size))
            self.register_buffer("std_scale", torch.ones(config.hidden_size))

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Soft tokens of one image, in raster order, or of several of the same size.

        Args:
            patches: float32 [P, 768] in [0, 1], or [I, P, 768]; no padding.
            positions: int64 [P, 2] or [I, P, 2], (x, y); sides are multiples of the pooling kernel.

        Returns:
            float32 [n, D] or [I, n, D]. Not cast back to the weights' dtype: the factor √D
            can leave float16's range, and the projector's norm removes it again.
        """
        config = self.config
        hidden = self.patch_embedder(patches, positions)
        rotation = axial_cos_sin(positions, config.head_dim, config.rope_theta, hidden.dtype)
        return self.pool(self.encoder(hidden, rotation), positions)

    def pool(self, hidden: Tensor, positions: Tensor) -> Tensor:
        """Soft tokens of the encoder's output [..., P, D], as `forward` gives them."""
        config = self.config
        pooled = pool_patches(hidden, positions, config.pooling_kernel_size)
        pooled = pooled * math.sqrt(config.hidden_size)
        if config.standardizes:
            pooled = (pooled - self.std_bias.float()) * self.std_scale.float()
        return pooled


class PatchEmbedder(nn.Module):
    """Projects pixels and adds a learned embedding of x and one of y."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.input_proj = nn.Linear(3 * config.patch_size**2, config.hidden_size, bias=False)
        self.position_embedding_table = nn.Parameter(
            torch.empty(2, config.position_embedding_size, config.hidden_size)
        )

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Patches [..., P, 768] in [0, 1] and positions [..., P, 2] → [..., P, D]."""
        hidden: Tensor = self.input_proj(centre(patches).to(self.input_proj.weight.dtype))
        return hidden + self.places(positions, hidden.dtype)

    def places(self, positions: Tensor, dtype: torch.dtype) -> Tensor:
        """Of positions [..., P, 2], what their columns and rows add: [..., P, D]."""
        columns, rows = self.position_embedding_table
        x, y = positions.unbind(-1)
        return F.embedding(x, columns).to(dtype) + F.embedding(y, rows).to(dtype)


def centre(patches: Tensor) -> Tensor:
    """Pixels in [0, 1] → [−1, 1]; before any rounding, which takes less near 0."""
    return 2 * (patches - 0.5)


class VisionEncoder(nn.Module):
    """The stack of layers."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(VisionLayer(config) for _ in range(config.num_layers))

    def forward(self, x: Tensor, rotation: Rotation) -> Tensor:
        """x [..., P, D] → [..., P, D]."""
        for layer in self.layers:
            x = layer(x, rotation)
        return x
