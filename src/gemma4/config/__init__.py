"""Frozen configurations, read strictly; derived values are planned once, in `LayerSpec`."""

from .layers import LayerKind, LayerSpec, RopeConfig
from .model import DrafterConfig, MediaTokens, ModelConfig
from .text import MoeConfig, TextConfig
from .towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig

__all__ = [
    "AudioConfig",
    "DrafterConfig",
    "LayerKind",
    "LayerSpec",
    "MediaTokens",
    "ModelConfig",
    "MoeConfig",
    "RopeConfig",
    "TextConfig",
    "UnifiedAudioConfig",
    "UnifiedVisionConfig",
    "VisionConfig",
]
