"""GGUF metadata from a configuration: the keys that `config.gguf.reader` reads, and llama.cpp.

A GGUF file says less than config.json. `write_gguf_config` therefore reads its own keys back and
refuses a configuration that would come back as another one.
"""

from dataclasses import fields, replace
from typing import Final

from ...errors import ConfigError
from ..generation import GenerationDefaults
from ..layers import LayerKind
from ..model import DrafterConfig, MediaTokens, ModelConfig
from ..published import ROPE_SLIDING, repeat_pattern
from ..text import TextConfig
from .reader import read_gguf_config
from .values import Shapes

GgufValue = bool | int | float | str | list["GgufValue"]
"""A metadata value; `weights.gguf` chooses its type in the file."""

_GEMMA3_PERIOD: Final = 6  # every so-manieth layer is full, where the file says nothing
_ENDS: Final = ("eos", "eot", "eom")  # the keys that GGUF has for ids that end an answer


def architecture_of(config: ModelConfig | DrafterConfig) -> str:
    """Value of `general.architecture`; all sizes of Gemma 4 share one."""
    if isinstance(config, DrafterConfig):
        return "gemma4-assistant"
    return "gemma3" if config.family == "gemma3" else "gemma4"


def write_gguf_config(
    config: ModelConfig | DrafterConfig, shapes: Shapes, tokens: GgufValue | None = None
) -> dict[str, GgufValue]:
    """Make the keys of the architecture, and `general.architecture`.

    Args:
        shapes: GGUF tensor name → shape of the text tensors, outermost dimension first.
        tokens: the value of `tokenizer.ggml.tokens`, if the file will have one.

    Raises:
        ConfigError: GGUF cannot say what the configuration says; names the fields.
    """
    architecture = architecture_of(config)
    text = _gemma3_keys(config.text) if architecture == "gemma3" else _gemma4_keys(config.text)
    if isinstance(config, DrafterConfig):
        text |= {
            "embedding_length_out": config.backbone_hidden_size,
            "nextn_predict_layers": config.text.num_layers,
        }
    keys: dict[str, GgufValue] = {"general.architecture": architecture}
    keys |= {f"{architecture}.{key}": value for key, value in text.items()}
    known = keys if tokens is None else keys | {"tokenizer.ggml.tokens": tokens}
    _refuse_loss(config, read_gguf_config(known, "the GGUF file to be written", shapes))
    return keys


def write_gguf_generation(
    defaults: GenerationDefaults, config: ModelConfig | DrafterConfig
) -> tuple[dict[str, GgufValue], tuple[str, ...]]:
    """Make the keys of special ids and recommended settings, and a note on each that GGUF lacks."""
    ends: tuple[int, ...] = defaults.eos_ids
    bos, pad = defaults.bos_id, defaults.pad_id
    if isinstance(config, ModelConfig):
        ends = (*ends, *config.eos_ids)
        bos = config.bos_id if bos is None else bos
        pad = config.pad_id if pad is None else pad
    ends = tuple(dict.fromkeys(ends))
    found: dict[str, GgufValue | None] = {
        "tokenizer.ggml.bos_token_id": bos,
        "tokenizer.ggml.padding_token_id": pad,
        "general.sampling.temp": 0.0 if defaults.do_sample is False else defaults.temperature,
        "general.sampling.top_k": defaults.top_k,
        "general.sampling.top_p": defaults.top_p,
        "general.sampling.min_p": defaults.min_p,
        "general.sampling.penalty_repeat": defaults.repetition_penalty,
        "tokenizer.ggml.suppress_tokens": list(defaults.suppress_ids) or None,
    }
    for name, token in zip(_ENDS, ends, strict=False):
        found[f"tokenizer.ggml.{name}_token_id"] = token
    return {key: value for key, value in found.items() if value is not None}, _lost(defaults, ends)


def _lost(defaults: GenerationDefaults, ends: tuple[int, ...]) -> tuple[str, ...]:
    """A sentence for each setting that GGUF has no key for."""
    settings = {
        "further ids that end an answer": ends[len(_ENDS) :] or None,
        "max_new_tokens": defaults.max_new_tokens,
        "num_assistant_tokens": defaults.num_draft_tokens,
    }
    return tuple(
        f"{name} ({value}) left out: GGUF has no key for it"
        for name, value in settings.items()
        if value is not None
    )


def _shared_keys(text: TextConfig) -> dict[str, GgufValue]:
    return {
        "vocab_size": text.vocab_size,
        "block_count": text.num_layers,
        "context_length": text.max_positions,
        "embedding_length": text.hidden_size,
        "attention.head_count": text.num_heads,
        "attention.layer_norm_rms_epsilon": text.norm_eps,
        "attention.sliding_window": text.sliding_window,
        "attention.key_length": text.full_head_dim,
        "attention.value_length": text.full_head_dim,
        "rope.freq_base": text.rope_full.theta,
    }


def _gemma4_keys(text: TextConfig) -> dict[str, GgufValue]:
    plans = text.plan_layers()
    # Two counts, or a full layer whose keys are its values, are what an array tells a reader.
    listed = text.keys_are_values or text.num_kv_heads != text.num_full_kv_heads
    widths = [plan.intermediate_size for plan in plans]
    keys = _shared_keys(text) | {
        "attention.head_count_kv": [plan.num_kv_heads for plan in plans]
        if listed
        else text.num_kv_heads,
        "attention.key_length_swa": text.head_dim,
        "attention.value_length_swa": text.head_dim,
        "attention.sliding_window_pattern": [
            kind is LayerKind.SLIDING for kind in text.layer_kinds
        ],
        "attention.shared_kv_layers": text.num_kv_shared_layers,
        "feed_forward_length": list(widths) if len(set(widths)) > 1 else widths[0],
        "embedding_length_per_layer_input": text.per_layer_dim,
        "rope.freq_base_swa": text.rope_sliding.theta,
        "rope.dimension_count": text.full_head_dim,
        "rope.dimension_count_swa": text.head_dim,
    }
    if text.logit_softcap is not None:
        keys["final_logit_softcapping"] = text.logit_softcap
    if text.moe is not None:
        keys["expert_count"] = text.moe.num_experts
        keys["expert_used_count"] = text.moe.top_k
        keys["expert_feed_forward_length"] = text.moe.intermediate_size
    return keys


def _gemma3_keys(text: TextConfig) -> dict[str, GgufValue]:
    keys = _shared_keys(text) | {
        "attention.head_count_kv": text.num_kv_heads,
        "feed_forward_length": text.intermediate_size,
    }
    if text.rope_sliding != ROPE_SLIDING:
        keys["rope.freq_base_swa"] = text.rope_sliding.theta
    blocks = repeat_pattern(_GEMMA3_PERIOD - 1, text.num_layers // _GEMMA3_PERIOD + 1)
    if text.layer_kinds != blocks[: text.num_layers]:
        keys["attention.sliding_window_pattern"] = [
            kind is LayerKind.SLIDING for kind in text.layer_kinds
        ]
    return keys


def _refuse_loss(config: ModelConfig | DrafterConfig, found: ModelConfig | DrafterConfig) -> None:
    """Compare what a reader would make of the keys with what they were made of."""
    wanted = _textual(config)
    differences = [
        *_differing(wanted, found, leave_out=("text",)),
        *_differing(wanted.text, found.text, leave_out=()),
    ]
    if differences:
        raise ConfigError(
            f"the GGUF format cannot say {', '.join(differences)}; write safetensors instead"
        )


def _textual(config: ModelConfig | DrafterConfig) -> ModelConfig | DrafterConfig:
    """What of a configuration stands in the keys of a text file's architecture.

    Media stand in the projector's file, special ids among the tokenizer's keys; a drafter's ordered
    head shows in its tensors alone, and which size a drafter belongs to nowhere.
    """
    if isinstance(config, DrafterConfig):
        return replace(
            config,
            family="gemma4_assistant",
            # Its one query sees all keys: how images attend in the target is nothing to it.
            text=replace(config.text, bidirectional_media=False),
            num_centroids=0,
            top_centroids=0,
            stored_dtype=None,
        )
    bare = ModelConfig(family=architecture_of(config), text=config.text)
    return replace(bare, media_tokens=MediaTokens())


def _differing(
    wanted: ModelConfig | DrafterConfig | TextConfig,
    found: ModelConfig | DrafterConfig | TextConfig,
    *,
    leave_out: tuple[str, ...],
) -> list[str]:
    """Fields in which two configurations of one kind differ, ids and media apart."""
    names = [field.name for field in fields(wanted)]
    not_here = ("media_tokens", "eos_ids", "bos_id", "pad_id", *leave_out)
    return [
        f"{name}={getattr(wanted, name)!r}"
        for name in names
        if name not in not_here and getattr(wanted, name) != getattr(found, name)
    ]
