"""A part of a message as the towers want it. Imports what decodes pictures, sound and video."""

from ..config import ModelConfig, UnifiedAudioConfig, UnifiedVisionConfig
from ..engine.encode import check_modality
from ..errors import MediaError
from ..media.audio import prepare_audio
from ..media.image import prepare_image
from ..media.types import Medium
from ..media.video import prepare_video
from ..text.messages import Audio, Image, Video


def prepare_medium(
    part: Image | Audio | Video, config: ModelConfig, image_budget: int | None
) -> Medium:
    """Decode and prepare one medium as this size of model wants it.

    Raises:
        MediaError: it cannot be used, or the model lacks the modality; it says where it was found.
    """
    try:
        check_modality(type(part).__name__.lower(), config)
        return _prepare(part, config, image_budget)
    except MediaError as error:
        raise MediaError(str(error), where=part.where) from error


def _prepare(part: Image | Audio | Video, config: ModelConfig, image_budget: int | None) -> Medium:
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
