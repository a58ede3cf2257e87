"""From a conversation to token ids and prepared media: all that needs no tensor of the model."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..config import ModelConfig
from ..media.types import AudioInput, ImageInput, Medium, VideoInput
from ..text.media_spans import SoftTokens, expand_media
from ..text.messages import Audio, Image, Video
from ..text.prompt import build_prompt
from ..text.templates.template import Template
from ..text.tokens.tokenizer import Tokenizer
from .question import Question


@dataclass(frozen=True, kw_only=True, slots=True)
class ReadConversation:
    """Ids with a place for each soft token, the media that fill them, and the seconds these took.

    Attributes:
        text: as the template rendered it, one placeholder for each medium.
        opens_thought: whether the prompt ends inside an open thought.
        warnings: what was done to media.
    """

    text: str
    ids: tuple[int, ...]
    opens_thought: bool
    media: tuple[Medium, ...]
    media_seconds: float
    warnings: tuple[str, ...]


def read_conversation(
    question: Question,
    *,
    config: ModelConfig,
    template: Template,
    tokenizer: Tokenizer,
    check_length: Callable[[int], None],
) -> ReadConversation:
    """Render, prepare media and expand placeholders.

    A prompt that the context cannot hold is refused here, before the towers run, which may take a minute.

    Args:
        check_length: refuses a prompt of so many tokens.

    Raises:
        MessageError, TemplateError, MediaError, ContextError: see there.
    """
    rendered = build_prompt(
        question.messages,
        template=template,
        tokenizer=tokenizer,
        tools=question.tools,
        thinking=question.thinking,
        goes_on=question.goes_on,
    )
    started = time.perf_counter()
    media = _prepare(rendered.media, config, question.image_budget)
    places = [soft_tokens_of(medium) for medium in media]
    expanded = expand_media(rendered.ids, places, tokenizer=tokenizer)
    ids = (*question.before, *expanded.ids[1:]) if question.before else expanded.ids  # one <bos>
    check_length(len(ids))
    return ReadConversation(
        text=rendered.text,
        ids=tuple(ids),
        opens_thought=rendered.opens_thought,
        media=media,
        media_seconds=time.perf_counter() - started if media else 0.0,
        warnings=tuple(_warnings(media)),
    )


def _prepare(
    parts: Sequence[Image | Audio | Video], config: ModelConfig, image_budget: int | None
) -> tuple[Medium, ...]:
    """What decodes media is imported when the first one comes: a text is answered sooner without."""
    if not parts:
        return ()
    from .medium import prepare_medium

    return tuple(prepare_medium(part, config, image_budget) for part in parts)


def _warnings(media: Sequence[Medium]) -> Iterator[str]:
    for medium in media:
        usage = medium.usage
        if usage.reduced:
            yield f"{usage.kind} was reduced: {usage.original} → {usage.used}"
        if usage.remark:
            yield f"{usage.kind}: {usage.remark}"


def soft_tokens_of(medium: Medium) -> SoftTokens:
    """How many soft tokens wait in the prompt for a medium, frame by frame."""
    match medium:
        case VideoInput():
            counts = tuple(frame.soft_tokens for frame in medium.frames)
            return SoftTokens(kind="video", counts=counts, timestamps=medium.timestamps)
        case ImageInput():
            return SoftTokens(kind="image", counts=(medium.soft_tokens,))
        case AudioInput():
            return SoftTokens(kind="audio", counts=(medium.soft_tokens,))
