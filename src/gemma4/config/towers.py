"""What turns pictures and sound into soft tokens: towers (E2B, E4B, 26B, 31B) or embedders (12B)."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class VisionConfig:
    """The vision tower. `num_kv_heads` equals `num_heads` in every published size."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    head_dim: int
    patch_size: int = 16
    pooling_kernel_size: int = 3
    position_embedding_size: int = 10240
    rope_theta: float = 100.0
    norm_eps: float = 1e-6
    clips_linears: bool = False
    standardizes: bool = False
    default_soft_tokens: int = 280


@dataclass(frozen=True, kw_only=True, slots=True)
class AudioConfig:
    """The conformer over log-mel frames."""

    hidden_size: int
    num_layers: int
    num_heads: int
    output_size: int
    subsampling_channels: tuple[int, int] = (128, 32)
    conv_kernel_size: int = 5
    residual_weight: float = 0.5
    chunk_size: int = 12
    context_left: int = 13
    context_right: int = 0
    logit_cap: float = 50.0
    invalid_logit: float = -1e9
    gradient_clipping: float = 1e10
    norm_eps: float = 1e-6
    clips_linears: bool = True
    num_mels: int = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class UnifiedVisionConfig:
    """The 12B's patch embedder: no tower, one linear layer over merged 48×48 patches."""

    hidden_size: int
    position_embedding_size: int
    output_size: int
    patch_size: int = 16
    pooling_kernel_size: int = 3
    norm_eps: float = 1e-6
    default_soft_tokens: int = 280

    @property
    def merged_patch_size(self) -> int:
        """Side of a merged patch in pixels."""
        return self.patch_size * self.pooling_kernel_size


@dataclass(frozen=True, kw_only=True, slots=True)
class UnifiedAudioConfig:
    """The 12B's audio embedder: one token for each frame of raw samples."""

    samples_per_token: int = 640
    norm_eps: float = 1e-6
