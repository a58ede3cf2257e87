"""Damaged files: a result or one clear `MediaError`, never a traceback, a warning or a noise."""

import io
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from written_media import clip, sound

from gemma4.errors import MediaError
from gemma4.media import prepare_audio, prepare_image, prepare_video

DATA = Path(__file__).parents[1] / "data" / "media"
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 22_050)


def pictures() -> list[bytes]:
    # TIFF is left out: libtiff writes its own line to standard error and offers no way to stop it.
    kinds = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "JPEG2000", "ICO", "TGA", "PPM", "QOI", "AVIF")
    with Image.open(DATA / "photo.jpg") as photo:
        small = photo.resize((60, 40))
    contents = []
    for kind in kinds:
        buffer = io.BytesIO()
        small.save(buffer, kind)
        contents.append(buffer.getvalue())
    return contents


def sounds() -> list[bytes]:
    forms = [("mp3", "libmp3lame"), ("flac", "flac"), ("adts", "aac"), ("wav", "pcm_s16le")]
    written = [sound(NOISE, container, codec, 22_050) for container, codec in forms]
    return [*written, (DATA / "speech.ogg").read_bytes(), (DATA / "clip.mp4").read_bytes()]


def clips() -> list[bytes]:
    forms = [("mp4", "libx264"), ("webm", "libvpx-vp9"), ("avi", "mpeg4"), ("mpegts", "mpeg2video")]
    written = [clip(container, codec, frames=15) for container, codec in forms]
    return [*written, clip("h264", frames=15), clip("gif", "gif", frames=6, pixel_format="rgb8")]


def mutated(content: bytes, source: random.Random) -> bytes:
    damaged = bytearray(content)
    if source.random() < 0.2:
        return bytes(damaged[: source.randrange(1, len(damaged))])
    reach = len(damaged) if source.random() < 0.4 else min(len(damaged), 400)
    for _ in range(source.choice([1, 1, 2, 5, 30])):
        damaged[source.randrange(reach)] = source.choice([0, 127, 128, 255, source.randrange(256)])
    if source.random() < 0.15:
        start = source.randrange(len(damaged))
        del damaged[start : start + source.randrange(1, 50)]
    return bytes(damaged)


@pytest.mark.parametrize(
    ("prepare", "originals", "count"),
    [
        (lambda content: prepare_image(content, budget=70), pictures, 600),
        (prepare_audio, sounds, 200),
        (lambda content: prepare_video(content, num_frames=4), clips, 120),
    ],
    ids=["image", "audio", "video"],
)
def test_a_damaged_file_is_read_or_refused(
    prepare: Callable[[bytes], object],
    originals: Callable[[], list[bytes]],
    count: int,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = random.Random(1)
    contents = originals()
    for content in contents:
        prepare(content)
    capfd.readouterr()
    outcomes = {"read": 0, "refused": 0}
    messages: list[str] = []
    for _ in range(count):
        try:
            prepare(mutated(source.choice(contents), source))
            outcomes["read"] += 1
        except MediaError as error:
            messages.append(str(error))
            outcomes["refused"] += 1
    assert max(map(len, messages)) < 400
    assert not [message for message in messages if "\n" in message]
    assert min(outcomes.values()) > count / 20, outcomes
    printed = capfd.readouterr()
    assert (printed.out, printed.err) == ("", "")
