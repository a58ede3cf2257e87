"""Frozen configurations, read strictly; derived values are planned once, in `LayerSpec`."""

from .layers import PAGE_TOKENS, KVGroup, LayerKind, LayerSpec, RopeConfig, plan_kv_groups
from .model import DrafterConfig, MediaTokens, ModelConfig
from .text import MoeConfig, TextConfig
from .towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig

__all__ = [
    "PAGE_TOKENS",
    "AudioConfig",
    "DrafterConfig",
    "KVGroup",
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
    "plan_kv_groups",
]
