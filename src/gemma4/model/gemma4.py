"""The whole model: decoder, and the parts that turn media into soft tokens. Module paths are tensor names.

Letters: R rows whose logits are wanted, V vocab, D model width, M soft tokens, P patches, T frames.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..config import AudioConfig, ModelConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .audio import AudioTower
from .batch import Batch
from .decoder import Decoder
from .projector import Projector
from .unified import UnifiedVisionEmbedder
from .vision import VisionTower


@dataclass(frozen=True, slots=True)
class Output:
    """Of the rows asked for: `hidden` [R, D] after the final norm, `logits` float32 [R, V]."""

    hidden: Tensor
    logits: Tensor


class Gemma4Body(nn.Module):
    """What checkpoints call `model`: the language model and the modality parts that a size has."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        width = config.text.hidden_size
        self.language_model = Decoder(config.text)
        match config.vision:
            case VisionConfig() as vision:
                self.vision_tower = VisionTower(vision)
                self.embed_vision = Projector(vision.hidden_size, width, vision.norm_eps)
            case UnifiedVisionConfig() as unified:
                self.vision_embedder = UnifiedVisionEmbedder(unified)
                self.embed_vision = Projector(unified.output_size, width, unified.norm_eps)
        match config.audio:
            case AudioConfig() as audio:
                self.audio_tower = AudioTower(audio)
                self.embed_audio = Projector(audio.output_size, width, audio.norm_eps)
            case UnifiedAudioConfig() as raw:
                self.embed_audio = Projector(raw.samples_per_token, width, raw.norm_eps)


class Gemma4(nn.Module):
    """Any Gemma 4 target, or Gemma 3 text. Build it on the meta device and let the loader fill it."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Gemma4Body(config)

    @property
    def decoder(self) -> Decoder:
        """The text decoder."""
        return self.model.language_model

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of computation."""
        return self.decoder.embed_tokens.dtype

    @property
    def device(self) -> torch.device:
        """Where the decoder is."""
        return self.decoder.embed_tokens.device

    def forward(self, batch: Batch) -> Output:
        """One pass over packed tokens."""
        hidden = self.decoder(batch)
        return Output(hidden, self.decoder.logits(hidden))

    def encode_image(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Soft tokens [M, D] of one picture (or video frame): patches [P, values], positions [P, 2]."""
        body = self.model
        if isinstance(self.config.vision, UnifiedVisionConfig):
            return body.embed_vision(body.vision_embedder(patches, positions))
        return body.embed_vision(body.vision_tower(patches, positions))

    def encode_audio(self, features: Tensor, mask: Tensor) -> Tensor:
        """Soft tokens [M, D] of one sound: mel [T, 128] or raw frames [T, 640], mask bool [T]."""
        body = self.model
        if isinstance(self.config.audio, UnifiedAudioConfig):
            return body.embed_audio(features.to(self.dtype))
        return body.embed_audio(body.audio_tower(features, mask))


def build_model(config: ModelConfig) -> Gemma4:
    """The model without weights, on the meta device: no memory, every name and shape."""
    with torch.device("meta"):
        return Gemma4(config).eval().requires_grad_(False)
