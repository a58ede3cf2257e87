"""Native kernels for a model's media: its towers and projectors give way to modules that run them."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn

from ...config import (
    AudioConfig,
    ModelConfig,
    UnifiedAudioConfig,
    UnifiedVisionConfig,
    VisionConfig,
)
from ...kernels.native import Native
from ...ops.norm import rms_norm
from ..gemma4 import Gemma4
from ..projector import Projector
from ..unified import UnifiedVisionEmbedder
from .audio import NativeAudioTower
from .tower_program import multiply
from .vision import NativeVisionTower

WIDTH, HEAD_WIDTH = 16, 8
"""Columns of a row, and of a head of the vision tower, that the kernels take at a time."""

MOST_SEEN = 64
"""Keys that a token of local attention may see."""


def kept_media(config: ModelConfig) -> tuple[str, ...]:
    """Paths of the parts that `put_native_towers` takes: their matrices may stay as the file has them."""
    paths: list[str] = []
    match config.vision:
        case VisionConfig() as vision if _vision_obstacle(vision) is None:
            paths += ["model.vision_tower.", "model.embed_vision."]
        case UnifiedVisionConfig() as unified if _unified_obstacle(unified) is None:
            paths += ["model.vision_embedder.", "model.embed_vision."]
    match config.audio:
        case AudioConfig() as audio if _audio_obstacle(audio) is None:
            paths += ["model.audio_tower.", "model.embed_audio."]
        case UnifiedAudioConfig() as raw if _raw_obstacle(raw) is None:
            paths += ["model.embed_audio."]
    return tuple(paths)


def put_native_towers(model: Gemma4, native: Native) -> tuple[str, ...]:
    """Let the kernels compute what they can of the model's media; a sentence on each part they cannot."""
    body, config, kept = model.model, model.config, kept_media(model.config)
    parts: dict[str, Callable[[Any, Native], nn.Module]] = {
        "vision_tower": NativeVisionTower,
        "vision_embedder": NativeVisionEmbedder,
        "embed_vision": NativeProjector,
        "audio_tower": NativeAudioTower,
        "embed_audio": NativeProjector,
    }
    for name, native_part in parts.items():
        if f"model.{name}." in kept:
            setattr(body, name, native_part(getattr(body, name), native))
    return tuple(
        f"{medium} computed with torch, which is slower: {obstacle}"
        for medium, obstacle in _obstacles(config)
    )


def _obstacles(config: ModelConfig) -> Iterator[tuple[str, str]]:
    match config.vision:
        case VisionConfig() as vision if (reason := _vision_obstacle(vision)) is not None:
            yield "images are", reason
        case UnifiedVisionConfig() as unified if (reason := _unified_obstacle(unified)) is not None:
            yield "images are", reason
    match config.audio:
        case AudioConfig() as audio if (reason := _audio_obstacle(audio)) is not None:
            yield "sound is", reason
        case UnifiedAudioConfig() as raw if (reason := _raw_obstacle(raw)) is not None:
            yield "sound is", reason


class NativeVisionEmbedder(nn.Module):
    """`UnifiedVisionEmbedder.forward`, the projection by the kernels, all else in float32."""

    def __init__(self, embedder: UnifiedVisionEmbedder, native: Native) -> None:
        super().__init__()
        self.embedder = embedder
        self._native = native

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Patches [..., P, 6912] in [0, 1], positions [..., P, 2] → float32 [..., P, D]."""
        embedder = self.embedder
        normed = embedder.patch_ln1(patches.float())
        rows = normed.reshape(-1, normed.shape[-1])
        hidden = multiply(self._native, embedder.patch_dense, rows) + embedder.patch_dense.bias
        return embedder.place(hidden.view(*normed.shape[:-1], -1), positions)


class NativeProjector(nn.Module):
    """`Projector.forward` of soft tokens [n, input size] → float32 [n, D]."""

    def __init__(self, projector: Projector, native: Native) -> None:
        super().__init__()
        self.projector = projector
        self._native = native

    def forward(self, soft_tokens: Tensor) -> Tensor:
        """Soft tokens [..., input size] of any float dtype → float32 [..., D]."""
        normed = rms_norm(soft_tokens.float(), None, self.projector.eps)
        rows = normed.reshape(-1, normed.shape[-1])
        projection = self.projector.embedding_projection
        return multiply(self._native, projection, rows).view(*normed.shape[:-1], -1)


def _vision_obstacle(vision: VisionConfig) -> str | None:
    """Why the kernels cannot compute a tower of these widths."""
    return (
        _odd_width("vision hidden_size", vision.hidden_size, WIDTH)
        or _odd_width("vision intermediate_size", vision.intermediate_size, WIDTH)
        or _odd_width("vision head_dim", vision.head_dim, HEAD_WIDTH)
    )


def _unified_obstacle(unified: UnifiedVisionConfig) -> str | None:
    return (
        _odd_width("values of a patch", 3 * unified.merged_patch_size**2, WIDTH)
        or _odd_width("vision hidden_size", unified.hidden_size, WIDTH)
        or _odd_width("vision output_size", unified.output_size, WIDTH)
    )


def _raw_obstacle(raw: UnifiedAudioConfig) -> str | None:
    return _odd_width("samples_per_token", raw.samples_per_token, WIDTH)


def _audio_obstacle(audio: AudioConfig) -> str | None:
    if audio.chunk_size > MOST_SEEN:
        return f"attention_chunk_size={audio.chunk_size} is more than {MOST_SEEN}"
    return (
        _odd_width("audio hidden_size", audio.hidden_size, WIDTH)
        or _odd_width("audio head width", audio.hidden_size // audio.num_heads, WIDTH)
        or _odd_width("audio output_size", audio.output_size, WIDTH)
    )


def _odd_width(name: str, width: int, unit: int) -> str | None:
    return f"{name}={width} is no multiple of {unit}" if width % unit else None
