"""Prepared media through the model's towers: soft tokens in prompt order. Letters: M tokens, D width."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from ..config import MediaTokens, ModelConfig
from ..errors import MediaError
from ..media.types import AudioInput, ImageInput, Medium, VideoInput
from ..model.gemma4 import Gemma4
from .prompt import Prompt
from .soft_token_cache import SoftTokenCache


def check_modality(kind: str, config: ModelConfig) -> None:
    """Refuse a kind of medium that the model does not take.

    Raises:
        MediaError: with what it takes.
    """
    if kind not in config.modalities:
        raise MediaError(
            f"this model takes {', '.join(config.modalities)} but no {kind}; "
            f"leave it out, or choose a size that takes {kind}"
        )


@torch.inference_mode()
def encode_media(
    model: Gemma4, media: Sequence[Medium], cache: SoftTokenCache | None = None
) -> Tensor | None:
    """Soft tokens [M, D] of all media, in order; None for none. `cache` holds those of earlier calls.

    Raises:
        MediaError: the model lacks the modality, or made another number of tokens than announced.
    """
    cache = SoftTokenCache(max_bytes=0) if cache is None else cache
    parts = [part for medium in media for part in _encode(model, medium, cache)]
    return torch.cat(parts) if parts else None


def _encode(model: Gemma4, medium: Medium, cache: SoftTokenCache) -> Iterator[Tensor]:
    check_modality(medium.usage.kind, model.config)
    match medium:
        case VideoInput():
            for frame in medium.frames:
                yield cache.get(frame.digest, partial(_encode_image, model, frame))
        case ImageInput():
            yield cache.get(medium.digest, partial(_encode_image, model, medium))
        case AudioInput():
            yield cache.get(medium.digest, partial(_encode_audio, model, medium))


def _encode_audio(model: Gemma4, audio: AudioInput) -> Tensor:
    tokens = model.encode_audio(
        torch.from_numpy(audio.features).to(model.device),
        torch.from_numpy(audio.mask).to(model.device),
    )
    return _checked(tokens, audio.soft_tokens, "audio")


def _encode_image(model: Gemma4, image: ImageInput) -> Tensor:
    tokens = model.encode_image(
        torch.from_numpy(image.patches).to(model.device),
        torch.from_numpy(image.positions).to(model.device),
    )
    return _checked(tokens, image.soft_tokens, "image")


def _checked(tokens: Tensor, announced: int, kind: str) -> Tensor:
    if tokens.shape[0] != announced:
        raise MediaError(
            f"the {kind} gave {tokens.shape[0]} soft tokens and {announced} places wait for them; "
            "the checkpoint's tower does not fit its configuration"
        )
    return tokens


def place_media(
    model: Gemma4,
    ids: Sequence[int],
    media: Sequence[Medium],
    cache: SoftTokenCache | None = None,
) -> Prompt:
    """A prompt for the model: ids whose placeholders the media's soft tokens fill, in order.

    Raises:
        MediaError: placeholders and soft tokens differ in number or kind, or the model lacks a modality.
    """
    tensor = torch.tensor(ids, dtype=torch.int64, device=model.device)
    tokens = model.config.media_tokens
    seen = (tensor == tokens.image) | (tensor == tokens.video)
    rows = (seen | (tensor == tokens.audio)).nonzero().squeeze(-1)
    announced = sum(medium.soft_tokens for medium in media)
    if rows.numel() != announced:
        raise MediaError(
            f"the ids have {rows.numel()} media placeholders and the media fill {announced}; "
            "give the media that belong to these ids"
        )
    if not media:
        return Prompt(ids=tensor)
    _check_kinds(tensor[rows].tolist(), media, tokens)
    bidirectional = model.config.text.bidirectional_media and bool(seen.any())
    return Prompt(
        ids=tensor,
        soft_rows=rows,
        soft_tokens=encode_media(model, media, cache),
        media=digests(media),
        spans=number_spans(seen) if bidirectional else None,
    )


def digests(media: Sequence[Medium]) -> tuple[tuple[bytes, int], ...]:
    """Content and number of soft tokens of each medium, a video's frame by frame."""
    parts = [
        part
        for medium in media
        for part in (medium.frames if isinstance(medium, VideoInput) else (medium,))
    ]
    return tuple((part.digest, part.soft_tokens) for part in parts)


def _check_kinds(placed: list[int], media: Sequence[Medium], tokens: MediaTokens) -> None:
    """Refuse an image in the places of a sound: same in number, it would be read as one."""
    start = 0
    for number, medium in enumerate(media):
        kind, wanted = medium.usage.kind, getattr(tokens, medium.usage.kind)
        found = set(placed[start : start + medium.soft_tokens])
        if found != {wanted}:
            raise MediaError(
                f"medium {number} is of kind {kind}, whose placeholder is {wanted}, but the ids have "
                f"{sorted(found)} in its places; give the media in the order of the ids"
            )
        start += medium.soft_tokens


def number_spans(seen: Tensor) -> Tensor:
    """Number each run of True in bool [T], from 0; −1 elsewhere. Begin and end tokens part images."""
    starts = seen & ~torch.cat((seen.new_zeros(1), seen[:-1]))
    return torch.where(seen, starts.cumsum(0) - 1, -1)
