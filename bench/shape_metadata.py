"""Metadata of a Gemma 4 GGUF file as llama.cpp's converter writes them: shapes and tokenizer."""

import json

import gguf

from gemma4.config import DrafterConfig, LayerKind, ModelConfig, TextConfig
from gemma4.text.tokens.packaged import packaged_tokenizer_json

SHOWN = (
    *("<|channel>", "<channel|>", '<|"|>'),
    *("<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>"),
)
"""Control tokens that the converter lets llama.cpp print, so that its parser sees them."""


def add_shape_keys(writer: gguf.GGUFWriter, config: ModelConfig | DrafterConfig) -> None:
    """Every key that says what the decoder looks like."""
    text, arch = config.text, writer.arch
    slides = [kind is LayerKind.SLIDING for kind in text.layer_kinds]
    writer.add_vocab_size(text.vocab_size)
    writer.add_block_count(text.num_layers)
    writer.add_context_length(text.max_positions)
    writer.add_embedding_length(text.hidden_size)
    writer.add_head_count(text.num_heads)
    writer.add_head_count_kv(_kv_heads(text, slides))
    writer.add_layer_norm_rms_eps(text.norm_eps)
    writer.add_sliding_window(text.sliding_window)
    writer.add_sliding_window_pattern(slides)
    writer.add_shared_kv_layers(text.num_kv_shared_layers)
    writer.add_feed_forward_length(_widths(text))
    writer.add_embedding_length_per_layer_input(text.per_layer_dim)
    writer.add_rope_freq_base(text.rope_full.theta)
    writer.add_float32(f"{arch}.rope.freq_base_swa", text.rope_sliding.theta)
    for head, suffix in ((text.full_head_dim, ""), (text.head_dim, "_swa")):
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
            writer.add_uint32(f"{arch}.{key}{suffix}", head)
    if text.logit_softcap is not None:
        writer.add_final_logit_softcapping(text.logit_softcap)
    if text.moe is not None:
        writer.add_expert_count(text.moe.num_experts)
        writer.add_expert_used_count(text.moe.top_k)
        writer.add_expert_feed_forward_length(text.moe.intermediate_size)
    if isinstance(config, DrafterConfig):
        writer.add_embedding_length_out(config.backbone_hidden_size)
        writer.add_nextn_predict_layers(text.num_layers)


def _kv_heads(text: TextConfig, slides: list[bool]) -> int | list[int]:
    """One number where all layers agree, as the converter does."""
    if text.num_kv_heads == text.num_full_kv_heads:
        return text.num_kv_heads
    return [text.num_kv_heads if slide else text.num_full_kv_heads for slide in slides]


def _widths(text: TextConfig) -> int | list[int]:
    widths = [spec.intermediate_size for spec in text.plan_layers()]
    return widths if text.double_wide_mlp else widths[0]


def add_tokenizer(writer: gguf.GGUFWriter) -> None:
    """Gemma 4's own tokenizer, from the copy inside the package."""
    parsed = json.loads(packaged_tokenizer_json())
    vocab: dict[str, int] = parsed["model"]["vocab"]
    tokens = sorted(vocab, key=vocab.__getitem__)
    types = [_byte_or_normal(token) for token in tokens]
    for token in parsed["added_tokens"]:
        shown = token["content"] in SHOWN
        types[token["id"]] = gguf.TokenType.USER_DEFINED if shown else gguf.TokenType.CONTROL
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list(tokens)
    writer.add_token_scores([-1000.0] * len(tokens))
    writer.add_token_types(types)
    writer.add_token_merges([" ".join(pair) for pair in parsed["model"]["merges"]])
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(1)
    writer.add_eot_token_id(106)
    writer.add_unk_token_id(3)
    writer.add_pad_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)


def _byte_or_normal(token: str) -> gguf.TokenType:
    is_byte = len(token) == 6 and token.startswith("<0x") and token.endswith(">")
    return gguf.TokenType.BYTE if is_byte else gguf.TokenType.NORMAL
