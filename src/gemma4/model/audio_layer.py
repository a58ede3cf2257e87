"""One conformer layer of the audio tower. Letters: T tokens, D width, N heads, H head dim."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import AudioConfig
from ..ops.clamping import clamp_activations
from ..ops.conformer_attention import local_attention, scale_keys, scale_queries
from .clippable_linear import ClippableLinear
from .norm import RMSNorm


class AudioLayer(nn.Module):
    """Half a feed-forward step, local attention, a light convolution, another half step, a norm."""

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        width, eps = config.hidden_size, config.norm_eps
        self.limit = config.gradient_clipping
        self.feed_forward1 = AudioFeedForward(config)
        self.norm_pre_attn = RMSNorm(width, eps)
        self.self_attn = AudioAttention(config)
        self.norm_post_attn = RMSNorm(width, eps)
        self.lconv1d = LightConvolution(config)
        self.feed_forward2 = AudioFeedForward(config)
        self.norm_out = RMSNorm(width, eps)

    def forward(self, x: Tensor, relative_positions: Tensor, mask: Tensor) -> Tensor:
        """x [T, D] → [T, D].

        Args:
            relative_positions: [C + 1, D], sinusoids of the distances C … 0.
            mask: bool [T], False where a token is padding.
        """
        x = self.feed_forward1(x)
        normed = self.norm_pre_attn(clamp_activations(x, self.limit))
        attended = self.self_attn(normed, relative_positions, mask)
        x = x + self.norm_post_attn(clamp_activations(attended, self.limit))
        x = self.feed_forward2(self.lconv1d(x))
        return self.norm_out(clamp_activations(x, self.limit))


class AudioFeedForward(nn.Module):
    """x + weight · norm(W₂ silu(W₁ norm(x)))."""

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        width, clips = config.hidden_size, config.clips_linears
        self.limit, self.residual_weight = config.gradient_clipping, config.residual_weight
        self.pre_layer_norm = RMSNorm(width, config.norm_eps)
        self.ffw_layer_1 = ClippableLinear(width, 4 * width, clips=clips)
        self.ffw_layer_2 = ClippableLinear(4 * width, width, clips=clips)
        self.post_layer_norm = RMSNorm(width, config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        """x [T, D] → [T, D]."""
        hidden = self.ffw_layer_1(self.pre_layer_norm(clamp_activations(x, self.limit)))
        hidden = self.ffw_layer_2(F.silu(hidden))
        hidden = self.post_layer_norm(clamp_activations(hidden, self.limit))
        return x + self.residual_weight * hidden


class AudioAttention(nn.Module):
    """Local attention with learned relative positions; between the projections all is float32."""

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        width, clips = config.hidden_size, config.clips_linears
        self.head_dim = width // config.num_heads
        self.chunk, self.logit_cap = config.chunk_size, config.logit_cap
        self.invalid_logit = config.invalid_logit
        self.q_proj = ClippableLinear(width, width, clips=clips)
        self.k_proj = ClippableLinear(width, width, clips=clips)
        self.v_proj = ClippableLinear(width, width, clips=clips)
        self.post = ClippableLinear(width, width, clips=clips)
        self.relative_k_proj = nn.Linear(width, width, bias=False)
        self.per_dim_scale = nn.Parameter(torch.zeros(self.head_dim))

    def forward(self, x: Tensor, relative_positions: Tensor, mask: Tensor) -> Tensor:
        """Attend x [T, D] → [T, D]; `relative_positions` and `mask` as in `AudioLayer`."""
        out = local_attention(
            scale_queries(self._heads(self.q_proj(x)), self.per_dim_scale),  # [T, N, H]
            scale_keys(self._heads(self.k_proj(x))),
            self._heads(self.v_proj(x)).float(),
            self._heads(self.relative_k_proj(relative_positions)).float(),  # [C + 1, N, H]
            mask,
            chunk=self.chunk,
            logit_cap=self.logit_cap,
            invalid_logit=self.invalid_logit,
        )
        return self.post(out.flatten(-2).to(x.dtype))

    def _heads(self, x: Tensor) -> Tensor:
        return torch.unflatten(x, -1, (-1, self.head_dim))


class LightConvolution(nn.Module):
    """x + W silu(norm(causal depthwise convolution(GLU(norm(x)))))."""

    def __init__(self, config: AudioConfig) -> None:
        super().__init__()
        width, kernel, clips = config.hidden_size, config.conv_kernel_size, config.clips_linears
        self.limit, self.past = config.gradient_clipping, kernel - 1
        self.pre_layer_norm = RMSNorm(width, config.norm_eps)
        self.linear_start = ClippableLinear(width, 2 * width, clips=clips)
        self.depthwise_conv1d = nn.Conv1d(width, width, kernel, groups=width, bias=False)
        self.conv_norm = RMSNorm(width, config.norm_eps)
        self.linear_end = ClippableLinear(width, width, clips=clips)

    def forward(self, x: Tensor) -> Tensor:
        """x [T, D] → [T, D]; a token sees itself and the `kernel − 1` before it."""
        gated = F.glu(self.linear_start(self.pre_layer_norm(x)), dim=-1)
        mixed = self.depthwise_conv1d(F.pad(gated.mT, (self.past, 0))).mT
        normed = self.conv_norm(clamp_activations(mixed, self.limit))
        return x + self.linear_end(F.silu(normed))
