"""A whole model's configuration: the decoder, and the modalities it has."""

from dataclasses import dataclass, field

from .text import TextConfig
from .towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaTokens:
    """Ids of the tokens that begin, fill and end a medium's place in the prompt."""

    begin_image: int = 255999
    image: int = 258880
    end_image: int = 258882
    video: int = 258884
    begin_audio: int = 256000
    audio: int = 258881
    end_audio: int = 258883


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """A model.

    Attributes:
        family: `gemma4`, `gemma4_unified` (12B) or `gemma3` (text only).
        eos_ids, pad_id, bos_id: of the model file; the generation configuration may add stop ids.
        stored_dtype: what the checkpoint says its weights are (`bfloat16`, …), for saving and `dtype="auto"`.
    """

    family: str
    text: TextConfig
    vision: VisionConfig | UnifiedVisionConfig | None = None
    audio: AudioConfig | UnifiedAudioConfig | None = None
    media_tokens: MediaTokens = field(default_factory=MediaTokens)
    eos_ids: tuple[int, ...] = (1,)
    bos_id: int = 2
    pad_id: int = 0
    stored_dtype: str | None = None

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the model takes, in a fixed order."""
        seen = ("image", "video") if self.vision is not None else ()
        heard = ("audio",) if self.audio is not None else ()
        return ("text", *seen, *heard)


@dataclass(frozen=True, kw_only=True, slots=True)
class DrafterConfig:
    """A multi-token-prediction drafter; its decoder reads the target's keys and values.

    Attributes:
        family: `gemma4_assistant` or `gemma4_unified_assistant`.
        backbone_hidden_size: the target's hidden size.
        num_centroids, top_centroids: of the ordered head (E2B, E4B); 0 where the head is dense.
    """

    family: str
    text: TextConfig
    backbone_hidden_size: int
    num_centroids: int = 0
    top_centroids: int = 0
    stored_dtype: str | None = None
