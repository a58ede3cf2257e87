"""From a conversation to what the engine takes: template, media, ids."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ..config import ModelConfig
from ..engine.encode import place_media
from ..engine.prompt import Prompt
from ..engine.soft_token_cache import SoftTokenCache
from ..media.types import AudioInput, ImageInput, Medium, VideoInput
from ..model.gemma4 import Gemma4
from ..text.media_spans import SoftTokens, expand_media
from ..text.messages import Message, Part, Tool
from ..text.prompt import build_prompt
from ..text.templates.template import Template
from ..text.tokens.tokenizer import Tokenizer


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedConversation:
    """A prompt, whether it ends inside an open thought, its media, and the seconds they took."""

    prompt: Prompt
    opens_thought: bool
    media: tuple[Medium, ...]
    media_seconds: float
    warnings: tuple[str, ...]


def prepare_conversation(
    model: Gemma4,
    messages: Sequence[Message],
    *,
    tools: Sequence[Tool],
    template: Template,
    tokenizer: Tokenizer,
    thinking: bool,
    image_budget: int | None,
    check_length: Callable[[int], None],
    cache: SoftTokenCache,
) -> PreparedConversation:
    """Render, prepare media, expand placeholders and encode soft tokens.

    A prompt that the context cannot hold is refused before the towers run, which may take a minute.

    Args:
        check_length: refuses a prompt of so many tokens.

    Raises:
        MessageError, TemplateError, MediaError, ContextError: see there.
    """
    rendered = build_prompt(
        messages, template=template, tokenizer=tokenizer, tools=tools, thinking=thinking
    )
    started = time.perf_counter()
    media = _prepare(rendered.media, model.config, image_budget)
    places = [soft_tokens_of(medium) for medium in media]
    expanded = expand_media(rendered.ids, places, tokenizer=tokenizer)
    check_length(len(expanded.ids))
    prompt = place_media(model, expanded.ids, media, cache)
    return PreparedConversation(
        prompt=prompt,
        opens_thought=rendered.opens_thought,
        media=media,
        media_seconds=time.perf_counter() - started if media else 0.0,
        warnings=tuple(_warnings(media)),
    )


def _prepare(
    parts: Sequence[Part], config: ModelConfig, image_budget: int | None
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
