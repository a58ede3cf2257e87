"""How a checkpoint is talked to: tokenizer, template, recommended sampling, and what ends an answer."""

from dataclasses import dataclass

from ..config import ModelConfig
from ..config.generation import GenerationDefaults
from ..engine.sampling import Sampling
from ..text.templates.template import Template
from ..text.templates.template_choice import choose_template
from ..text.tokens.tokenizer import Tokenizer
from ..weights.checkpoint import Checkpoint
from .assets import read_defaults, read_template_source, read_tokenizer, template_style
from .heap import give_back_heap
from .options import recommended

CHAT_ENDS = ("<turn|>", "<|tool_response>", "<end_of_turn>")
"""Ends of the model's part of a conversation; the second hands over to a tool."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatSettings:
    """What lies beside the weights, read and put together.

    Attributes:
        template_came_along: False if our own renderer stands in for one.
        stop_ids: ids that end an answer.
        is_chat_model: tuned for conversations; False for base models, which continue text.
        notes: on what was missing.
    """

    tokenizer: Tokenizer
    template: Template
    template_came_along: bool
    sampling: Sampling
    stop_ids: frozenset[int]
    is_chat_model: bool
    notes: tuple[str, ...]


def read_chat_settings(checkpoint: Checkpoint, config: ModelConfig) -> ChatSettings:
    """Read them all.

    Raises:
        CheckpointError, TemplateError: one of them is damaged, or another model's.
    """
    tokenizer, notes = read_tokenizer(checkpoint, config.text.vocab_size)
    give_back_heap()  # before weights are read, which need it more
    source, defaults = read_template_source(checkpoint), read_defaults(checkpoint)
    sampling, hints = recommended(defaults)
    stop_ids, ends = _stop_ids(config, defaults, tokenizer), _chat_ends(tokenizer)
    chats = source is not None or bool(ends & stop_ids)
    return ChatSettings(
        tokenizer=tokenizer,
        template=choose_template(source, tokenizer=tokenizer, style=template_style(config)),
        template_came_along=source is not None,
        sampling=sampling,
        stop_ids=stop_ids | ends if chats else stop_ids,
        is_chat_model=chats,
        notes=(*notes, *hints),
    )


def _stop_ids(
    config: ModelConfig, defaults: GenerationDefaults, tokenizer: Tokenizer
) -> frozenset[int]:
    """What the checkpoint says ends an answer, and the tokenizer's own end of text."""
    end_of_text = tokenizer.special_ids.get("<eos>", config.eos_ids[0])
    return frozenset({*config.eos_ids, *defaults.eos_ids, end_of_text})


def _chat_ends(tokenizer: Tokenizer) -> frozenset[int]:
    known = tokenizer.special_ids
    return frozenset(known[name] for name in CHAT_ENDS if name in known)
