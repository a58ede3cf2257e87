"""Pictures, a sound and a clip made by arithmetic: the same on every machine, and no two alike."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from ..config import ModelConfig, UnifiedAudioConfig, UnifiedVisionConfig
from ..media.audio import prepare_audio
from ..media.patches import picture_input
from ..media.types import AudioInput, ImageInput, MediaUsage, VideoInput

BUDGET = 70  # soft tokens: the smallest of the budgets
_SAMPLE_RATE = 16_000
_SOUND_SECONDS = 1.5


def paint(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Picture `number`, uint8 [height, width, 3]: a slope, rings and a checkerboard."""
    y, x = np.mgrid[0:height, 0:width]
    distance = np.hypot(x - width * (0.3 + 0.1 * number), y - height * 0.6)
    red = 255 * x // max(width - 1, 1)
    green = np.round(127.5 + 127.5 * np.cos(distance / (7 + 3 * number)))
    blue = 255 * ((x // (17 + 8 * number) + y // 23) % 2)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def make_image(config: ModelConfig, number: int) -> ImageInput:
    """Picture `number`: even ones lie (60 soft tokens), odd ones stand (56, so a batch is padded)."""
    width, height = (320, 192) if number % 2 == 0 else (144, 432)
    return picture_input(paint(number, width, height), budget=BUDGET, merged=merges(config))


def make_video(config: ModelConfig) -> VideoInput:
    """A clip of two frames."""
    frames = tuple(
        picture_input(paint(number, 256, 192), budget=BUDGET, merged=merges(config))
        for number in (4, 5)
    )
    usage = MediaUsage(
        kind="video",
        soft_tokens=sum(frame.soft_tokens for frame in frames),
        original="2 frames, generated",
        used="2 frames",
        reduced=False,
    )
    digest = b"generated " + b"".join(frame.digest for frame in frames)
    return VideoInput(frames=frames, timestamps=("00:00", "00:01"), usage=usage, digest=digest)


def make_audio(config: ModelConfig) -> AudioInput:
    """A tone that rises from 150 to 4000 Hz and swells."""
    samples = int(_SOUND_SECONDS * _SAMPLE_RATE)
    time = np.arange(samples) / _SAMPLE_RATE
    sweep = 150 * time + (4000 - 150) * time**2 / (2 * _SOUND_SECONDS)
    loudness = 0.2 + 0.6 * time / _SOUND_SECONDS
    waveform = np.round(32767 * loudness * np.sin(2 * np.pi * sweep)).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(_SAMPLE_RATE)
        writer.writeframes(waveform.tobytes())
    return prepare_audio(file.getvalue(), raw=hears_raw(config))


def merges(config: ModelConfig) -> bool:
    """Whether pictures are cut into merged patches (12B)."""
    return isinstance(config.vision, UnifiedVisionConfig)


def hears_raw(config: ModelConfig) -> bool:
    """Whether sounds go in as raw frames (12B)."""
    return isinstance(config.audio, UnifiedAudioConfig)
