"""What both sides are asked: the same ids, the same media. Letters: T tokens, R rows compared."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..config import MediaTokens
from ..media.types import AudioInput, ImageInput, Medium, VideoInput

SPREAD_ROWS, LAST_ROWS = 48, 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Probe:
    """One pass.

    Attributes:
        name: what it asks for, such as `several images`.
        ids: [T], as many placeholders as the media have soft tokens.
        media: in the order of their placeholders.
    """

    name: str
    ids: tuple[int, ...]
    media: tuple[Medium, ...] = ()

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows [R] that are compared: all of a short prompt, else some spread over it and the last."""
        total = len(self.ids)
        if total <= SPREAD_ROWS + LAST_ROWS:
            return tuple(range(total))
        spread = np.linspace(0, total - 1, SPREAD_ROWS).astype(int).tolist()
        return tuple(sorted({*spread, *range(total - LAST_ROWS, total)}))

    def contrasts(self) -> Iterator[tuple[str, "Probe"]]:
        """This probe with one medium exchanged, for each of them, and what was exchanged.

        The ids stay the same, so whoever gives the same logits has not looked at that medium.
        """
        for index, medium in enumerate(self.media):
            media = (*self.media[:index], contrast(medium), *self.media[index + 1 :])
            place = f" {index + 1} of {len(self.media)}" if len(self.media) > 1 else ""
            yield f"{medium.usage.kind}{place}", replace(self, media=media)


def contrast(medium: Medium) -> Medium:
    """Another medium of the same shape: a picture's negative, noise in place of a sound.

    A negative differs everywhere: no level n/255 is its own. Silence has none, hence the noise.
    """
    match medium:
        case ImageInput():
            return _negative(medium)
        case VideoInput():
            frames = tuple(map(_negative, medium.frames))
            return replace(medium, frames=frames, digest=b"negative " + medium.digest)
        case AudioInput():
            random = np.random.default_rng(len(medium.features))
            shape = medium.features.shape
            is_mel = shape[1] == 128
            noise = random.normal(-3.0, 2.0, shape) if is_mel else random.uniform(-0.7, 0.7, shape)
            features = np.where(medium.mask[:, None], noise, 0.0).astype(np.float32)
            return replace(medium, features=features, digest=b"noise " + medium.digest)


def _negative(image: ImageInput) -> ImageInput:
    patches = (1.0 - image.patches).astype(np.float32)
    return replace(image, patches=patches, digest=b"negative " + image.digest)


def compose(bos_id: int, parts: Sequence[Sequence[int] | Medium], tokens: MediaTokens) -> list[int]:
    """Ids of a prompt: `<bos>`, and each medium between its begin and end tokens.

    A clip is one picture a frame; its times are left out, they are text like any other.
    """
    ids = [bos_id]
    for part in parts:
        match part:
            case ImageInput():
                ids += [tokens.begin_image, *[tokens.image] * part.soft_tokens, tokens.end_image]
            case VideoInput():
                for frame in part.frames:
                    placeholders = [tokens.video] * frame.soft_tokens
                    ids += [tokens.begin_image, *placeholders, tokens.end_image]
            case AudioInput():
                ids += [tokens.begin_audio, *[tokens.audio] * part.soft_tokens, tokens.end_audio]
            case _:
                ids += part
    return ids
