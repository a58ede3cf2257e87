"""GGUF metadata of a projector file (mmproj): the keys that `config.gguf.media` and llama.cpp read."""

from typing import Final

from ...errors import ConfigError
from ..model import ModelConfig
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .media import read_mmproj_config
from .values import Shapes
from .writer import GgufValue

_IMAGE_SIZE: Final = 224  # llama.cpp wants one, and uses it for nothing


def write_mmproj_config(config: ModelConfig, shapes: Shapes) -> dict[str, GgufValue]:
    """Make all keys of a projector's file.

    `clip.use_gelu` is written because llama.cpp takes another activation for the vision tower where
    it is missing; its own converter leaves it out.

    Args:
        shapes: GGUF tensor name → shape of the media tensors, outermost dimension first.

    Raises:
        ConfigError: the format cannot say what the configuration says.
    """
    width = config.text.hidden_size
    keys: dict[str, GgufValue] = {
        "general.architecture": "clip",
        "general.type": "mmproj",
        "clip.has_vision_encoder": config.vision is not None,
        "clip.has_audio_encoder": config.audio is not None,
        "clip.use_gelu": True,
    }
    if config.vision is not None:
        keys |= _prefixed("clip.vision.", _vision_keys(config.vision), width)
    if config.audio is not None:
        keys |= _prefixed("clip.audio.", _audio_keys(config.audio), width)
    found = read_mmproj_config(keys, "the mmproj file to be written", shapes)
    for part, wanted, read in zip(
        ("vision", "audio"), (config.vision, config.audio), found, strict=True
    ):
        if wanted != read:
            raise ConfigError(
                f"the GGUF format cannot say this {part} configuration: {wanted} would be read as "
                f"{read}; write safetensors instead, or leave media out with --text-only"
            )
    return keys


def _prefixed(prefix: str, keys: dict[str, GgufValue], width: int) -> dict[str, GgufValue]:
    return {f"{prefix}{key}": value for key, value in keys.items()} | {
        f"{prefix}projection_dim": width
    }


def _vision_keys(vision: VisionConfig | UnifiedVisionConfig) -> dict[str, GgufValue]:
    tower = isinstance(vision, VisionConfig)
    return {
        "projector_type": "gemma4v" if tower else "gemma4uv",
        "embedding_length": vision.hidden_size,
        "feed_forward_length": vision.intermediate_size if isinstance(vision, VisionConfig) else 0,
        "block_count": vision.num_layers if isinstance(vision, VisionConfig) else 0,
        "attention.head_count": vision.num_heads if isinstance(vision, VisionConfig) else 0,
        "attention.layer_norm_epsilon": vision.norm_eps,
        "patch_size": vision.patch_size,
        "projector.scale_factor": vision.pooling_kernel_size,
        "image_size": _IMAGE_SIZE,
        "image_mean": [0.0, 0.0, 0.0],
        "image_std": [1.0, 1.0, 1.0],
    }


def _audio_keys(audio: AudioConfig | UnifiedAudioConfig) -> dict[str, GgufValue]:
    if isinstance(audio, UnifiedAudioConfig):
        sizes = {"embedding_length": audio.samples_per_token, "feed_forward_length": 0}
        sizes |= {"block_count": 0, "attention.head_count": 0, "num_mel_bins": 128}
        kind = "gemma4ua"
    else:
        sizes = {
            "embedding_length": audio.hidden_size,
            "feed_forward_length": 4 * audio.hidden_size,
            "block_count": audio.num_layers,
            "attention.head_count": audio.num_heads,
            "num_mel_bins": audio.num_mels,
        }
        kind = "gemma4a"
    return {
        "projector_type": kind,
        "attention.layer_norm_epsilon": audio.norm_eps,
        **sizes,
    }
