"""A part of a message as the towers want it. Imports what decodes pictures, sound and video."""

from ..config import ModelConfig, UnifiedAudioConfig, UnifiedVisionConfig
from ..engine.encode import check_modality
from ..media.audio import prepare_audio
from ..media.image import prepare_image
from ..media.types import Medium
from ..media.video import prepare_video
from ..text.messages import Audio, Image, Part, Video


def prepare_medium(part: Part, config: ModelConfig, image_budget: int | None) -> Medium:
    """Decode and prepare one medium as this size of model wants it.

    Raises:
        MediaError: it cannot be used, or the model lacks the modality.
    """
    kind = type(part).__name__.lower()
    check_modality(kind, config)
    merged = isinstance(config.vision, UnifiedVisionConfig)
    match part:
        case Image():
            assert config.vision is not None
            wanted = image_budget if part.budget is None else part.budget
            budget = config.vision.default_soft_tokens if wanted is None else wanted
            return prepare_image(part.source, budget=budget, merged=merged)
        case Video():
            frames = {} if part.num_frames is None else {"num_frames": part.num_frames}
            return prepare_video(part.source, merged=merged, **frames)
        case Audio():
            return prepare_audio(part.source, raw=isinstance(config.audio, UnifiedAudioConfig))
        case _:
            raise AssertionError(f"{kind} is no medium")
