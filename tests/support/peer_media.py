"""A picture and a sound that need no scaling, and the soft tokens that tiny models make of them."""

import io
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import torch
from PIL import Image
from written_media import wav

from gemma4.engine.encode import encode_media
from gemma4.media.audio import prepare_audio
from gemma4.media.image import prepare_image
from gemma4.media.types import AudioInput, ImageInput
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

MEDIA = Path(__file__).parents[1] / "data" / "media"
SEEING = ("e_series", "moe", "dense31", "unified")
HEARING = ("e_series", "unified")
MEL_FLOOR = 1e-3


def picture() -> np.ndarray:
    """uint8 [336, 480, 3]: the photograph, mirrored at its edges to exactly 70 soft tokens."""
    with Image.open(MEDIA / "photo.jpg") as photo:
        pixels = np.asarray(photo.convert("RGB"))
    height, width, _ = pixels.shape
    return np.pad(pixels, ((0, 336 - height), (0, 480 - width), (0, 0)), mode="reflect")


def speech() -> np.ndarray:
    """float32 [32000]: two seconds at 16 kHz, of 16-bit values."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(MEDIA / "speech.ogg") as file:
        parts = [
            part.to_ndarray()[0]
            for frame in file.decode(audio=0)
            for part in resampler.resample(frame)
        ]
    return np.concatenate(parts)[16_000:48_000].astype(np.float32) / 32_768


def prepared_picture(kind: str) -> ImageInput:
    """`picture` as our front end prepares it."""
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "PNG")
    return prepare_image(file.getvalue(), budget=70, merged=kind == "unified")


def prepared_speech(kind: str) -> AudioInput:
    """`speech` as our front end prepares it."""
    return prepare_audio(wav(speech() * (32_768 / 32_767)), raw=kind == "unified")


def with_llama_cpps_floor(sound: AudioInput) -> AudioInput:
    """Log-mel frames as llama.cpp has them: log(max(x, floor)) where the reference has log(x + floor)."""
    mel = np.exp(sound.features.astype(np.float64)) - MEL_FLOOR
    features = np.log(np.maximum(mel, MEL_FLOOR)).astype(np.float32)
    return replace(sound, features=np.where(sound.mask[:, np.newaxis], features, 0.0))


def load_with_projector(directory: Path) -> Gemma4:
    """Our model of a GGUF file and the projector beside it, in float32."""
    checkpoint = open_checkpoint(directory)
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=torch.float32)
    return model


def soft_tokens(model: Gemma4, medium: ImageInput | AudioInput) -> np.ndarray:
    """Soft tokens [n, D]."""
    found = encode_media(model, (medium,))
    assert found is not None
    return found.numpy()


def relative_distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Root of the mean square of the difference, over that of the values."""
    difference = ours.astype(np.float64) - theirs.astype(np.float64)
    return float(np.sqrt((difference**2).mean() / (theirs.astype(np.float64) ** 2).mean()))
