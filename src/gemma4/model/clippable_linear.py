"""A linear layer whose input and output are clipped to bounds that come with the checkpoint."""

import torch
from torch import Tensor, nn


class ClippableLinear(nn.Module):
    """clamp(W · clamp(x)), without bias; the weight is `linear.weight`, also where nothing clips.

    The bounds are buffers, not parameters: training leaves them alone. Before loading they are ±∞.
    """

    input_min: Tensor
    input_max: Tensor
    output_min: Tensor
    output_max: Tensor

    def __init__(self, input_size: int, output_size: int, *, clips: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(input_size, output_size, bias=False)
        self.clips = clips
        if clips:
            for name in ("input", "output"):
                self.register_buffer(f"{name}_min", torch.tensor(-torch.inf))
                self.register_buffer(f"{name}_max", torch.tensor(torch.inf))

    def forward(self, x: Tensor) -> Tensor:
        """x [..., input size] → [..., output size]."""
        if not self.clips:
            return self.linear(x)
        out = self.linear(torch.clamp(x, self.input_min, self.input_max))
        return torch.clamp(out, self.output_min, self.output_max)
