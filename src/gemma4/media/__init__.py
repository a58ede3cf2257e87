"""Images, audio and video as arrays, with their soft-token counts. No torch.

The libraries that decode them are imported when a name is first used (PEP 562): a program that only needs
`media.types` does not wait for them.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .audio import prepare_audio, soft_tokens_for_samples
    from .image import prepare_image
    from .patches import BUDGETS, soft_tokens_for_size
    from .source import Source, decode_data_url
    from .types import AudioInput, ImageInput, MediaUsage, Medium, VideoInput
    from .video import prepare_video

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

_HOMES = {
    "prepare_image": "image",
    "prepare_audio": "audio",
    "prepare_video": "video",
    "soft_tokens_for_size": "patches",
    "soft_tokens_for_samples": "audio",
    "decode_data_url": "source",
    "BUDGETS": "patches",
    "Source": "source",
    **dict.fromkeys(("ImageInput", "AudioInput", "VideoInput", "Medium", "MediaUsage"), "types"),
}


def __getattr__(name: str) -> object:
    """Import the module that a public name lives in."""
    if name not in _HOMES:
        raise AttributeError(f"module 'gemma4.media' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
