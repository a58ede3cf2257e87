"""Native kernels for a model's media: its towers and projectors give way to modules that run them."""

from typing import Any

from torch import Tensor, nn

from ...config import AudioConfig, VisionConfig
from ...kernels.native import Native
from ...ops.norm import rms_norm
from ..gemma4 import Gemma4
from ..projector import Projector
from .audio import NativeAudioTower
from .tower_program import multiply
from .vision import NativeVisionTower

WIDTH, HEAD_WIDTH = 16, 8
"""Columns of a row, and of a head of the vision tower, that the kernels take at a time."""

MOST_SEEN = 64
"""Keys that a token of local attention may see."""


def put_native_towers(model: Gemma4, native: Native) -> tuple[str, ...]:
    """Let the kernels compute what they can of the model's media; a sentence on each tower they cannot."""
    pool = native.module.Pool(native.num_threads)
    body, config, notes = model.model, model.config, []
    if isinstance(config.vision, VisionConfig):
        if obstacle := _vision_obstacle(config.vision):
            notes.append(f"images are computed with torch, which is slower: {obstacle}")
        else:
            _replace(body, "vision_tower", NativeVisionTower(body.vision_tower, native, pool))
            _replace(body, "embed_vision", NativeProjector(body.embed_vision, native, pool))
    if isinstance(config.audio, AudioConfig):
        if obstacle := _audio_obstacle(config.audio):
            notes.append(f"sound is computed with torch, which is slower: {obstacle}")
        else:
            _replace(body, "audio_tower", NativeAudioTower(body.audio_tower, native, pool))
            _replace(body, "embed_audio", NativeProjector(body.embed_audio, native, pool))
    return tuple(notes)


def _replace(body: nn.Module, name: str, module: nn.Module) -> None:
    setattr(body, name, module)


class NativeProjector(nn.Module):
    """`Projector.forward` of soft tokens [n, input size] → float32 [n, D]."""

    def __init__(self, projector: Projector, native: Native, pool: Any) -> None:
        super().__init__()
        self.projector = projector
        self._native = native
        self._pool = pool

    def forward(self, soft_tokens: Tensor) -> Tensor:
        """Soft tokens [..., input size] of any float dtype → float32 [..., D]."""
        normed = rms_norm(soft_tokens.float(), None, self.projector.eps)
        rows = normed.reshape(-1, normed.shape[-1])
        projection = self.projector.embedding_projection
        return multiply(self._native, self._pool, projection, rows).view(*normed.shape[:-1], -1)


def _vision_obstacle(vision: VisionConfig) -> str | None:
    """Why the kernels cannot compute a tower of these widths."""
    return (
        _odd_width("vision hidden_size", vision.hidden_size, WIDTH)
        or _odd_width("vision intermediate_size", vision.intermediate_size, WIDTH)
        or _odd_width("vision head_dim", vision.head_dim, HEAD_WIDTH)
    )


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
