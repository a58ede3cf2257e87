"""The audio tower of E2B and E4B: log-mel frames in, soft tokens of 40 ms out.

Letters: T mel frames (later tokens), M mel bins, D width, n valid tokens.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import AudioConfig
from ..errors import ConfigError
from ..ops.conformer_attention import relative_positions
from .audio_layer import AudioLayer


class AudioTower(nn.Module):
    """Subsampling by four, the conformer, and a projection to the width that `embed_audio` takes.

    Raises:
        ConfigError: the attention reaches another way than the published one.
    """

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        _check_reach(config)
        self.config = config
        self.subsample_conv_projection = Subsampling(config)
        self.layers = nn.ModuleList(AudioLayer(config) for _ in range(config.num_layers))
        self.output_proj = nn.Linear(config.hidden_size, config.output_size)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        """Soft tokens of one sound.

        Args:
            features: float32 [T, M], log-mel.
            mask: bool [T], True where the frame is real.

        Returns:
            [n, output size] in the weights' dtype; padding is left out.
        """
        hidden, mask = self.subsample_conv_projection(features, mask)
        distances = relative_positions(
            self.config.hidden_size, self.config.chunk_size, hidden.device
        ).to(hidden.dtype)
        for layer in self.layers:
            hidden = layer(hidden, distances, mask)
        return self.output_proj(hidden)[mask]


class Subsampling(nn.Module):
    """Two strided convolutions over time and frequency, flattened and projected."""

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        first, second = config.subsampling_channels
        self.layer0 = SubsamplingLayer(1, first, config.norm_eps)
        self.layer1 = SubsamplingLayer(first, second, config.norm_eps)
        flat = config.num_mels // 4 * second
        self.input_proj_linear = nn.Linear(flat, config.hidden_size, bias=False)

    def forward(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """features [T, M] and mask [T] → [⌈T/4⌉, D] and its mask."""
        flat, mask = self.convolve(features, mask)
        return self.input_proj_linear(flat), mask

    def convolve(self, features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """What is projected: [⌈T/4⌉, M/4 · C], frequency before channel."""
        hidden, mask = self.layer0(features[None], mask)  # [C, T/2, M/2]
        hidden, mask = self.layer1(hidden, mask)  # [C, T/4, M/4]
        return hidden.permute(1, 2, 0).flatten(-2), mask


class SubsamplingLayer(nn.Module):
    """3×3 convolution of stride 2, LayerNorm over channels, ReLU."""

    def __init__(self, input_channels: int, output_channels: int, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            input_channels, output_channels, kernel_size=3, stride=2, padding=1, bias=False
        )
        self.norm = nn.LayerNorm(output_channels, eps=eps, bias=False)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """x [C, T, M] and mask [T] → [C', ⌈T/2⌉, ⌈M/2⌉] and its mask; padding enters as zeros."""
        last = torch.channels_last  # as the norm wants them: nothing is copied between
        weight = self.conv.weight.contiguous(memory_format=last)
        real = x if bool(mask.all()) else torch.where(mask[:, None], x, 0.0)
        real = real.to(weight.dtype)[None].contiguous(memory_format=last)
        hidden = F.conv2d(real, weight, stride=self.conv.stride, padding=self.conv.padding)[0]
        normed = self.norm(hidden.permute(1, 2, 0))  # [T/2, M/2, C']
        return F.relu(normed, inplace=True).permute(2, 0, 1), mask[::2]


def _check_reach(config: AudioConfig) -> None:
    if config.context_left != config.chunk_size + 1 or config.context_right != 0:
        raise ConfigError(
            f"attention_chunk_size={config.chunk_size}, "
            f"attention_context_left={config.context_left}, "
            f"attention_context_right={config.context_right}: the audio tower knows only "
            "a left context of chunk size + 1 and a right context of 0; check audio_config"
        )
