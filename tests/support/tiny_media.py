"""Random prepared media, and prompts that hold them, for the tiny models. No transformers here.

prompt(5, 6, random_image("moe", columns=3, rows=2), 7)     2 5 6 <boi> <image>×6 <eoi> 7
"""

from dataclasses import dataclass

import numpy as np
import torch

from gemma4.media.types import AudioInput, ImageInput, MediaUsage, Medium, VideoInput

BOS, BEGIN_IMAGE, END_IMAGE, IMAGE, VIDEO, BEGIN_AUDIO, END_AUDIO, AUDIO = (
    2, 500, 501, 502, 503, 504, 505, 506,
)  # fmt: skip
TEXT_TYPE, IMAGE_TYPE, VIDEO_TYPE, AUDIO_TYPE = 0, 1, 2, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """Token ids with media in their places.

    Attributes:
        ids, types: int64 [T]; types are 0 text, 1 image, 2 video, 3 audio, as in transformers.
        media: in the order of the prompt.
    """

    ids: torch.Tensor
    types: torch.Tensor
    media: tuple[Medium, ...]

    @property
    def spans(self) -> torch.Tensor:
        """int64 [T]: the number of the image or frame a token belongs to, else −1."""
        seen = (self.types == IMAGE_TYPE) | (self.types == VIDEO_TYPE)
        starts = seen & ~torch.cat([torch.zeros(1, dtype=torch.bool), seen[:-1]])
        return torch.where(seen, starts.cumsum(0) - 1, -1)

    @property
    def soft_rows(self) -> torch.Tensor:
        """int64 [M]: rows that soft tokens fill."""
        return self.types.nonzero().squeeze(-1)


def prompt(*parts: int | Medium) -> Prompt:
    """Begin with <bos>; numbers are ids; media get begin and end tokens, video frame by frame."""
    ids, types = [BOS], [TEXT_TYPE]

    def add(begin: int, placeholder: int, end: int, count: int, kind: int) -> None:
        ids.extend([begin, *[placeholder] * count, end])
        types.extend([TEXT_TYPE, *[kind] * count, TEXT_TYPE])

    for part in parts:
        match part:
            case ImageInput():
                add(BEGIN_IMAGE, IMAGE, END_IMAGE, part.soft_tokens, IMAGE_TYPE)
            case VideoInput():
                for number, frame in enumerate(part.frames):
                    ids.append(30 + number)  # stands for the timestamp
                    types.append(TEXT_TYPE)
                    add(BEGIN_IMAGE, VIDEO, END_IMAGE, frame.soft_tokens, VIDEO_TYPE)
            case AudioInput():
                add(BEGIN_AUDIO, AUDIO, END_AUDIO, part.soft_tokens, AUDIO_TYPE)
            case _:
                ids.append(part)
                types.append(TEXT_TYPE)
    media = tuple(part for part in parts if not isinstance(part, int))
    return Prompt(ids=torch.tensor(ids), types=torch.tensor(types), media=media)


def text_prompt(length: int, *, seed: int = 0) -> Prompt:
    """<bos> and random text ids, `length` in all."""
    random = np.random.default_rng(seed)
    return prompt(*random.integers(3, 400, length - 1).tolist())


def random_image(kind: str, *, columns: int, rows: int, seed: int = 0) -> ImageInput:
    """A picture of columns×rows soft tokens, in 16-pixel patches, or merged ones for `unified`."""
    scale, side = (1, 48) if kind == "unified" else (3, 16)
    width, height = columns * scale, rows * scale
    random = np.random.default_rng(seed)
    patches = random.random((width * height, side * side * 3), dtype=np.float32)
    x, y = np.meshgrid(np.arange(width), np.arange(height), indexing="xy")
    return ImageInput(
        patches=patches,
        positions=np.stack([x, y], axis=-1).reshape(-1, 2).astype(np.int64),
        soft_tokens=columns * rows,
        usage=_usage("image", columns * rows),
        digest=f"{kind} image {columns} {rows} {seed}".encode(),
    )


def random_video(kind: str, *, frames: int, columns: int, rows: int, seed: int = 0) -> VideoInput:
    """A clip of frames of one size."""
    pictures = [
        random_image(kind, columns=columns, rows=rows, seed=1000 * (seed + 1) + number)
        for number in range(frames)
    ]
    return VideoInput(
        frames=tuple(pictures),
        timestamps=tuple(f"00:{number:02}" for number in range(frames)),
        usage=_usage("video", frames * columns * rows),
        digest=f"{kind} video {frames} {columns} {rows} {seed}".encode(),
    )


def random_audio(kind: str, *, frames: int, padding: int = 0, seed: int = 0) -> AudioInput:
    """A sound of mel frames followed by padding frames, or of raw frames for `unified`."""
    random = np.random.default_rng(seed)
    if kind == "unified":
        features = random.uniform(-0.7, 0.7, (frames, 640)).astype(np.float32)
        soft_tokens = frames
    else:
        features = random.normal(-3.0, 2.0, (frames, 128)).astype(np.float32)
        soft_tokens = ((frames - 1) // 2) // 2 + 1
    filler = np.zeros((padding, features.shape[1]), dtype=np.float32)
    return AudioInput(
        features=np.concatenate([features, filler]),
        mask=np.arange(frames + padding) < frames,
        soft_tokens=soft_tokens,
        usage=_usage("audio", soft_tokens),
        digest=f"{kind} audio {frames} {padding} {seed}".encode(),
    )


def _usage(kind: str, soft_tokens: int) -> MediaUsage:
    return MediaUsage(
        kind=kind, soft_tokens=soft_tokens, original="random", used="random", reduced=False
    )
