"""The 12B's eyes: no tower, one linear layer over merged 48×48 patches.

Its ears are a `Projector` alone, over frames of raw samples.

Letters: P merged patches (= soft tokens), D width.
"""

import torch
from torch import Tensor, nn

from ..config import UnifiedVisionConfig


class UnifiedVisionEmbedder(nn.Module):
    """Norm, projection, norm, learned positions, norm."""

    def __init__(self, config: UnifiedVisionConfig) -> None:
        super().__init__()
        patch_values = 3 * config.merged_patch_size**2
        width = config.hidden_size
        self.patch_ln1 = nn.LayerNorm(patch_values)
        self.patch_dense = nn.Linear(patch_values, width)
        self.patch_ln2 = nn.LayerNorm(width)
        self.pos_embedding = nn.Parameter(torch.empty(config.position_embedding_size, 2, width))
        self.pos_norm = nn.LayerNorm(width)

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Soft tokens in the order of the patches; leading dimensions are separate images.

        Args:
            patches: [..., P, 6912], merged patches in [0, 1], taken as they are; no padding.
            positions: int64 [..., P, 2], (x, y) of the merged patch.

        Returns:
            [..., P, D] in the weights' dtype.
        """
        hidden = self.patch_ln1(patches.to(self.patch_dense.weight.dtype))
        return self.place(self.patch_dense(hidden), positions)

    def place(self, hidden: Tensor, positions: Tensor) -> Tensor:
        """The projection's output [..., P, D] and positions → [..., P, D] as `forward` gives them."""
        x, y = positions.unbind(-1)
        columns, rows = self.pos_embedding[x, 0], self.pos_embedding[y, 1]
        places = columns.to(hidden.dtype) + rows.to(hidden.dtype)
        return self.pos_norm(self.patch_ln2(hidden) + places)
