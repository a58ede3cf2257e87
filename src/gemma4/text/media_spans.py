"""Placeholders of media → the tokens that the model reads, and where their soft tokens lie.

    image   <|image> <|image|>×n <image|>
    audio   <|audio> <|audio|>×n <audio|>
    video   mm:ss <|image> <|video|>×n <image|>, for every frame, frames joined by a space

Numbers only: how many soft tokens a medium takes is `media`'s to say.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..errors import MessageError
from .tokens.special_tokens import (
    AUDIO_BEGIN,
    AUDIO_END,
    IMAGE_BEGIN,
    IMAGE_END,
    PLACEHOLDERS,
    MediaKind,
)
from .tokens.tokenizer import Tokenizer


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftTokens:
    """What one medium takes.

    Attributes:
        counts: soft tokens; one number, for a video one for each frame.
        timestamps: of a video's frames, `mm:ss`.
    """

    kind: MediaKind
    counts: tuple[int, ...]
    timestamps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of soft tokens in a prompt.

    Attributes:
        start, length: in tokens, begin and end tokens not counted.
        medium: index of the medium in the prompt.
        frame: index of the frame in a video; 0 otherwise.
    """

    kind: MediaKind
    start: int
    length: int
    medium: int
    frame: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandedPrompt:
    """All ids of a prompt, and its soft-token spans in order."""

    ids: tuple[int, ...]
    spans: tuple[Span, ...]


def expand_media(
    ids: Sequence[int], media: Sequence[SoftTokens], *, tokenizer: Tokenizer
) -> ExpandedPrompt:
    """Replace each placeholder in `ids` by the tokens of its medium.

    Args:
        ids: with one placeholder for each medium, in order (`Prompt.ids`).

    Raises:
        MessageError: if placeholders and media do not match, or a count is below 1.
    """
    special = tokenizer.special_ids
    kinds = {special[text]: kind for kind, text in PLACEHOLDERS.items() if text in special}
    placed = [kinds[id] for id in ids if id in kinds]
    if placed != [medium.kind for medium in media]:
        raise MessageError(
            f"the prompt has places for {placed}, but the media are {[m.kind for m in media]}"
        )
    out: list[int] = []
    spans: list[Span] = []
    for id in ids:
        if id not in kinds:
            out.append(id)
            continue
        index = spans[-1].medium + 1 if spans else 0
        for frame, (lead, count) in enumerate(_frames(media[index], index, tokenizer)):
            begin, end = _markers(media[index].kind, tokenizer)
            out += [*lead, begin]
            spans.append(
                Span(kind=kinds[id], start=len(out), length=count, medium=index, frame=frame)
            )
            out += [id] * count
            out.append(end)
    return ExpandedPrompt(ids=tuple(out), spans=tuple(spans))


def _frames(
    medium: SoftTokens, index: int, tokenizer: Tokenizer
) -> Iterator[tuple[list[int], int]]:
    """For each frame (one for an image or a sound): the ids before it, and its soft tokens."""
    if not medium.counts or min(medium.counts) < 1:
        raise MessageError(
            f"medium {index} ({medium.kind}) takes {medium.counts} soft tokens; at least 1"
        )
    if medium.kind != "video":
        if len(medium.counts) != 1 or medium.timestamps:
            raise MessageError(f"medium {index} ({medium.kind}) has frames; only a video has")
        yield [], medium.counts[0]
        return
    if len(medium.timestamps) != len(medium.counts):
        raise MessageError(
            f"medium {index} (video) has {len(medium.counts)} frames but {len(medium.timestamps)} "
            "timestamps; give one for each frame"
        )
    # Digits and colons never merge with their neighbours, so a timestamp's ids do not depend on them.
    for frame, (timestamp, count) in enumerate(zip(medium.timestamps, medium.counts, strict=True)):
        yield tokenizer.encode(f"{' ' if frame else ''}{timestamp} "), count


def _markers(kind: MediaKind, tokenizer: Tokenizer) -> tuple[int, int]:
    begin, end = (AUDIO_BEGIN, AUDIO_END) if kind == "audio" else (IMAGE_BEGIN, IMAGE_END)
    return tokenizer.special_ids[begin], tokenizer.special_ids[end]
