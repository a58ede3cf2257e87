"""A model's configuration from the metadata of a GGUF file (`gemma4`, `gemma4-assistant`, `gemma3`).

llama.cpp's converter leaves out what its graph has built in. Such values come from the shapes of the
tensors where these tell them, else they are Gemma's own constants, said where they are used. Keys of
the architecture that nobody reads are errors, as in config.json.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from ...errors import ConfigError
from ..layers import LayerKind, RopeConfig
from ..model import DrafterConfig, MediaTokens, ModelConfig
from ..published import ROPE_FULL, ROPE_SLIDING
from ..section import Section, raise_problems, shown
from ..text import MoeConfig, TextConfig
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig
from .layers import read_kinds, read_widths, split_kv_heads
from .values import Shapes, open_section, shortest

_MODELS: Final = ("gemma4", "gemma3")
_DRAFTER: Final = "gemma4-assistant"
_STORED_DTYPES: Final = {0: "float32", 1: "float16", 32: "bfloat16"}  # of general.file_type
_MEDIA_TOKENS: Final = {
    "<|image>": "begin_image",
    "<|image|>": "image",
    "<image|>": "end_image",
    "<|video|>": "video",
    "<|audio>": "begin_audio",
    "<|audio|>": "audio",
    "<audio|>": "end_audio",
}


def read_gguf_config(
    metadata: Mapping[str, object], path: Path | str, shapes: Shapes | None = None
) -> ModelConfig | DrafterConfig:
    """Read the configuration of a text model or a drafter.

    Args:
        metadata: every key of the file with its value.
        path: names the file in messages.
        shapes: tensor name → shape, outermost dimension first. Without them `keys_are_values` is
            told from the key-value head counts, and the vocabulary from the token list.

    Raises:
        ConfigError: one message with every missing, malformed, unknown and contradictory key; or the
            architecture is another.
    """
    architecture = metadata.get("general.architecture")
    if architecture == "clip":
        raise ConfigError(
            f"{path} is a projector (mmproj); give the text model's file, it goes beside"
        )
    if architecture not in (*_MODELS, _DRAFTER):
        raise ConfigError(
            f"{path} has general.architecture={shown(architecture)}; "
            f"supported: {', '.join((*_MODELS, _DRAFTER))}"
        )
    problems: list[str] = []
    section = open_section(metadata, str(architecture), problems)
    tokenizer = open_section(metadata, "tokenizer.ggml", problems)
    vocab_size = _read_vocab_size(section, tokenizer, shapes or {})
    config: ModelConfig | DrafterConfig
    if architecture == _DRAFTER:
        text = _read_gemma4_text(section, vocab_size, shapes, drafter=True)
        config = _make_drafter(section, text)
    else:
        text = (
            _read_gemma3_text(section, vocab_size)
            if architecture == "gemma3"
            else _read_gemma4_text(section, vocab_size, shapes, drafter=False)
        )
        config = _make_model(str(architecture), text, tokenizer)
    section.close()
    raise_problems(problems, str(path))
    config.text.plan_layers()
    stored = metadata.get("general.file_type")
    return replace(
        config, stored_dtype=_STORED_DTYPES.get(stored) if isinstance(stored, int) else None
    )


def attach_media(
    config: ModelConfig,
    vision: VisionConfig | UnifiedVisionConfig | None,
    audio: AudioConfig | UnifiedAudioConfig | None,
) -> ModelConfig:
    """Join a text model's configuration with its projector's, from `read_mmproj_config`.

    A text file does not say whether it is of the 12B; its projector does.
    """
    unified = isinstance(vision, UnifiedVisionConfig) or isinstance(audio, UnifiedAudioConfig)
    return replace(
        config, family="gemma4_unified" if unified else config.family, vision=vision, audio=audio
    )


def _read_vocab_size(section: Section, tokenizer: Section, shapes: Shapes) -> int:
    """Rows of the embedding; the token list may be shorter, never longer."""
    tokens = tokenizer.raw("tokens")
    listed = len(tokens) if isinstance(tokens, list | tuple) else None
    stored = shapes["token_embd.weight"][0] if "token_embd.weight" in shapes else None
    declared = section.integer("vocab_size") if section.has("vocab_size") else None
    known = [size for size in (stored, declared, listed) if size]
    if not known:
        section.report("vocab_size", "is missing, and so is tokenizer.ggml.tokens")
        return 1
    if listed is not None and listed > known[0]:
        section.report(
            "vocab_size", f"= {known[0]} is less than the {listed} tokens of the tokenizer"
        )
    return known[0]


def _read_gemma4_text(
    section: Section, vocab_size: int, shapes: Shapes | None, *, drafter: bool
) -> TextConfig:
    kinds = read_kinds(section)
    kv_heads = split_kv_heads(section, kinds)
    num_shared = section.integer("attention.shared_kv_layers", len(kinds) if drafter else 0, low=0)
    if num_shared > len(kinds) or drafter != (num_shared == len(kinds)):
        section.report("attention.shared_kv_layers", f"= {num_shared} of {len(kinds)} layers")
        num_shared = len(kinds) if drafter else 0
    width, double_wide = read_widths(section, len(kinds), num_shared)
    per_layer_dim = section.integer("embedding_length_per_layer_input", 0, low=0, high=2**20)
    head_dim, full_head_dim = _read_head_dims(section)
    rope_sliding, rope_full = _read_gemma4_ropes(section)
    capped = section.has("final_logit_softcapping") and not drafter
    section.demand("attention.causal", (True,), "the decoder is causal")
    section.demand("attention.scale", (1.0,), "Gemma 4 does not scale attention")
    return TextConfig(
        vocab_size=vocab_size,
        hidden_size=section.integer("embedding_length"),
        intermediate_size=width,
        layer_kinds=kinds,
        num_heads=_read_num_heads(section, len(kinds), kv_heads),
        num_kv_heads=kv_heads[LayerKind.SLIDING],
        num_full_kv_heads=kv_heads[LayerKind.FULL],
        head_dim=head_dim,
        full_head_dim=full_head_dim,
        sliding_window=section.integer("attention.sliding_window"),
        max_positions=section.integer("context_length"),
        rope_sliding=rope_sliding,
        rope_full=rope_full,
        keys_are_values=_read_keys_are_values(section, kinds, num_shared, kv_heads, shapes),
        num_kv_shared_layers=num_shared,
        double_wide_mlp=double_wide,
        per_layer_dim=per_layer_dim,
        per_layer_vocab_size=_table_rows(shapes, vocab_size) if per_layer_dim else 0,
        moe=_read_moe(section),
        # Not in the file. The sizes with per-layer embeddings (E2B, E4B) are causal throughout.
        bidirectional_media=not per_layer_dim and not drafter,
        logit_softcap=shortest(section.number("final_logit_softcapping", low=1e-3, high=1e6))
        if capped
        else None,
        norm_eps=_read_eps(section),
    )


def _table_rows(shapes: Shapes | None, vocab_size: int) -> int:
    return (shapes or {}).get("per_layer_token_embd.weight", (vocab_size,))[0]


def _read_eps(section: Section) -> float:
    return shortest(section.number("attention.layer_norm_rms_epsilon", low=0.0, high=1.0))


def _read_num_heads(section: Section, count: int, kv_heads: Mapping[LayerKind, int]) -> int:
    values = section.integers("attention.head_count") or (0,)
    num_heads = values[0]
    if len(set(values)) > 1 or len(values) not in (1, count) or num_heads < 1:
        section.report("attention.head_count", f"= {shown(values)}; give one count above 0")
        return max(kv_heads.values())
    for kv in sorted(set(kv_heads.values())):
        if num_heads % kv:
            section.report("attention.head_count_kv", f"= {kv} does not divide {num_heads} heads")
    return num_heads


def _read_head_dims(section: Section) -> tuple[int, int]:
    """Head widths of sliding and of full layers; keys, values and rotation must agree on them."""
    found: list[int] = []
    for suffix in ("_swa", ""):
        width = section.integer(f"attention.key_length{suffix}")
        for key in (f"attention.value_length{suffix}", f"rope.dimension_count{suffix}"):
            if section.integer(key, width) != width:
                section.report(key, f"differs from attention.key_length{suffix} = {width}")
        if width % 2:
            section.report(
                f"attention.key_length{suffix}", f"= {width} is odd; rotation needs pairs"
            )
        found.append(width)
    return found[0], found[1]


def _read_gemma4_ropes(section: Section) -> tuple[RopeConfig, RopeConfig]:
    """Rotations; the quarter that rotates in full layers stands in `rope_freqs`, not in a key."""
    section.demand("rope.scaling.type", ("none",), "Gemma 4 does not scale its rotation")
    sliding = section.number("rope.freq_base_swa", ROPE_SLIDING.theta, low=1.0, high=1e12)
    full = section.number("rope.freq_base", low=1.0, high=1e12)
    return replace(ROPE_SLIDING, theta=shortest(sliding)), replace(ROPE_FULL, theta=shortest(full))


def _read_keys_are_values(
    section: Section,
    kinds: tuple[LayerKind, ...],
    num_shared: int,
    kv_heads: Mapping[LayerKind, int],
    shapes: Shapes | None,
) -> bool:
    """No key says it. A full layer has no `attn_v` then; and only then are there two head counts."""
    owners = range(len(kinds) - num_shared)
    full = [index for index in owners if kinds[index] is LayerKind.FULL]
    if shapes is None or not full:
        listed = isinstance(section.raw("attention.head_count_kv"), list | tuple)
        return listed or len(set(kv_heads.values())) > 1
    absent = [index for index in full if f"blk.{index}.attn_v.weight" not in shapes]
    if absent and len(absent) != len(full):
        section.report(
            "attention.key_length",
            f"is the same for all full layers, but only some ({absent[:8]}) lack blk.N.attn_v.weight",
        )
    return bool(absent)


def _read_moe(section: Section) -> MoeConfig | None:
    num_experts = section.integer("expert_count", 0, low=0, high=2**16)
    if not num_experts:
        section.ignore(("expert_used_count", "expert_feed_forward_length"))
        return None
    top_k = section.integer("expert_used_count", high=2**16)
    if top_k > num_experts:
        section.report("expert_used_count", f"= {top_k} exceeds expert_count = {num_experts}")
    width = section.integer("expert_feed_forward_length")
    return MoeConfig(num_experts=num_experts, top_k=top_k, intermediate_size=width)


def _make_drafter(section: Section, text: TextConfig) -> DrafterConfig:
    """The converter drops the ordered head of E2B's and E4B's drafters: the dense one remains."""
    if section.integer("nextn_predict_layers", text.num_layers) != text.num_layers:
        section.report("nextn_predict_layers", f"differs from block_count = {text.num_layers}")
    return DrafterConfig(
        family="gemma4_assistant",
        text=text,
        backbone_hidden_size=section.integer("embedding_length_out"),
    )


def _make_model(architecture: str, text: TextConfig, tokenizer: Section) -> ModelConfig:
    tokens = tokenizer.raw("tokens")
    names = tokens if isinstance(tokens, list | tuple) else ()
    places = {
        _MEDIA_TOKENS[name]: index
        for index, name in enumerate(names)
        if isinstance(name, str) and name in _MEDIA_TOKENS
    }
    ends = [tokenizer.integers(f"{name}_token_id") for name in ("eos", "eot", "eom")]
    return ModelConfig(
        family=architecture,
        text=text,
        media_tokens=replace(MediaTokens(), **places)
        if architecture == "gemma4"
        else MediaTokens(),
        eos_ids=tuple(dict.fromkeys(token for ids in ends for token in ids)) or (1,),
        bos_id=tokenizer.integer("bos_token_id", 2, low=0),
        pad_id=tokenizer.integer("padding_token_id", 0, low=0),
    )


def _read_gemma3_text(section: Section, vocab_size: int) -> TextConfig:
    """Gemma 3 text. Its norms stand in the file as w, but the offset says what config.json's lack."""
    kinds = read_kinds(section, period=6)
    head_dim = section.integer("attention.key_length")
    if section.integer("attention.value_length", head_dim) != head_dim:
        section.report("attention.value_length", f"differs from attention.key_length = {head_dim}")
    if head_dim % 2:
        section.report("attention.key_length", f"= {head_dim} is odd; rotation needs pairs")
    section.ignore(("rope.dimension_count", "rope.dimension_count_swa"))  # always the head width
    section.demand(
        "rope.scaling.type", ("none",), "only 270M and 1B are supported, which have none"
    )
    section.demand("final_logit_softcapping", (0.0,), "Gemma 3 does not cap logits")
    section.demand("attn_logit_softcapping", (0.0,), "Gemma 3 does not cap attention")
    num_kv_heads = section.integer("attention.head_count_kv")
    full = section.number("rope.freq_base", low=1.0, high=1e12)
    sliding = section.number("rope.freq_base_swa", ROPE_SLIDING.theta, low=1.0, high=1e12)
    counts = {LayerKind.SLIDING: num_kv_heads}
    return TextConfig(
        vocab_size=vocab_size,
        hidden_size=section.integer("embedding_length"),
        intermediate_size=section.integer("feed_forward_length"),
        layer_kinds=kinds,
        num_heads=_read_num_heads(section, len(kinds), counts),
        num_kv_heads=num_kv_heads,
        num_full_kv_heads=num_kv_heads,
        head_dim=head_dim,
        full_head_dim=head_dim,
        sliding_window=section.integer("attention.sliding_window"),
        max_positions=section.integer("context_length"),
        rope_sliding=RopeConfig(theta=shortest(sliding)),
        rope_full=RopeConfig(theta=shortest(full)),
        attention_scale=head_dim**-0.5,
        normalizes_values=False,
        has_layer_scalar=False,
        norm_weight_offset=1.0,
        norm_eps=_read_eps(section),
    )
