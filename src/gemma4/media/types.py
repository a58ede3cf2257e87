"""Prepared media: arrays, soft-token counts, and what was done on the way. No torch.

Letters: P patches (padding excluded), T mel frames, W samples in a frame.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaUsage:
    """What a medium cost and what was lost, reported with every answer.

    Attributes:
        original, used: in words, such as `1920×1080 px` → `1152×624 px`, `44.1 s` → `30.0 s`.
        reduced: True if detail was lost: downscaled, cut, or frames dropped.
        remark: what else a caller should know, such as "it is silent"; empty if nothing.
    """

    kind: Literal["image", "audio", "video"]
    soft_tokens: int
    original: str
    used: str
    reduced: bool
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """A picture as patches, in raster order, without padding.

    Attributes:
        patches: float32 [P, patch values] in [0, 1]; 16×16×3 values, or 48×48×3 merged (12B).
        positions: int64 [P, 2], (x = column, y = row).
        soft_tokens: tokens it takes in the prompt, begin and end tokens not counted.
        digest: of pixels and preparation; equal digests mean equal soft tokens.
    """

    patches: NDArray[np.float32]
    positions: NDArray[np.int64]
    soft_tokens: int
    usage: MediaUsage
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioInput:
    """A sound.

    Attributes:
        features: float32 [T, 128] log-mel frames, or [n, 640] raw frames (12B).
        mask: bool [T], True where the frame is real.
        soft_tokens: tokens it takes, begin and end tokens not counted.
    """

    features: NDArray[np.float32]
    mask: NDArray[np.bool_]
    soft_tokens: int
    usage: MediaUsage
    digest: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoInput:
    """A clip as sampled frames, each a picture, with its time.

    Attributes:
        timestamps: `mm:ss` for each frame.
    """

    frames: tuple[ImageInput, ...]
    timestamps: tuple[str, ...]
    usage: MediaUsage
    digest: bytes

    @property
    def soft_tokens(self) -> int:
        """Tokens of all frames, begin and end tokens and timestamps not counted."""
        return sum(frame.soft_tokens for frame in self.frames)


Medium = ImageInput | AudioInput | VideoInput
