"""Images, audio and video as arrays, with their soft-token counts. No torch."""

from gemma4.media.audio import prepare_audio, soft_tokens_for_samples
from gemma4.media.image import prepare_image
from gemma4.media.patches import BUDGETS, soft_tokens_for_size
from gemma4.media.source import Source, decode_data_url
from gemma4.media.types import AudioInput, ImageInput, MediaUsage, Medium, VideoInput
from gemma4.media.video import prepare_video

__all__ = [
    "prepare_image",
    "prepare_audio",
    "prepare_video",
    "soft_tokens_for_size",
    "soft_tokens_for_samples",
    "decode_data_url",
    "BUDGETS",
    "Source",
    "ImageInput",
    "AudioInput",
    "VideoInput",
    "Medium",
    "MediaUsage",
]
