"""config.json from a configuration, in the spelling of the published files, which every version of
transformers with Gemma 4 reads.
"""

from ...errors import ConfigError
from ..layers import LayerKind, RopeConfig
from ..model import DrafterConfig, ModelConfig
from ..text import TextConfig
from ..towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig

_ARCHITECTURES = {
    "gemma4": "Gemma4ForConditionalGeneration",
    "gemma4_unified": "Gemma4UnifiedForConditionalGeneration",
    "gemma3": "Gemma3ForCausalLM",
    "gemma4_assistant": "Gemma4AssistantForCausalLM",
    "gemma4_unified_assistant": "Gemma4UnifiedAssistantForCausalLM",
}


def write_config(config: ModelConfig | DrafterConfig) -> dict[str, object]:
    """Make the content of config.json, ready for `json.dumps`; `read_config` gives an equal config.

    Raises:
        ConfigError: the family is unknown.
    """
    if config.family not in _ARCHITECTURES:
        known = ", ".join(_ARCHITECTURES)
        raise ConfigError(f"family={config.family!r} has no config.json; known: {known}")
    head: dict[str, object] = {"architectures": [_ARCHITECTURES[config.family]]}
    if config.stored_dtype is not None:
        head["dtype"] = config.stored_dtype
    if isinstance(config, DrafterConfig):
        return head | _drafter_fields(config)
    if config.family == "gemma3":
        return head | _gemma3_fields(config)
    return head | _model_fields(config)


def _model_fields(config: ModelConfig) -> dict[str, object]:
    tokens = config.media_tokens
    return {
        "model_type": config.family,
        "text_config": _gemma4_text_fields(config.text, config.family)
        | {
            "eos_token_id": config.eos_ids[0],
            "bos_token_id": config.bos_id,
            "pad_token_id": config.pad_id,
        },
        "vision_config": None if config.vision is None else _vision_fields(config.vision),
        "audio_config": None if config.audio is None else _audio_fields(config.audio),
        "boi_token_id": tokens.begin_image,
        "image_token_id": tokens.image,
        "eoi_token_id": tokens.end_image,
        "video_token_id": tokens.video,
        "boa_token_id": tokens.begin_audio,
        "audio_token_id": tokens.audio,
        "eoa_token_id": tokens.end_audio,
        "eoa_token_index": tokens.end_audio,
        "eos_token_id": list(config.eos_ids),
        "tie_word_embeddings": True,
    }


def _drafter_fields(config: DrafterConfig) -> dict[str, object]:
    target_family = config.family.removesuffix("_assistant")
    ordered = config.num_centroids > 0
    sizes = {
        "num_centroids": config.num_centroids,
        "centroid_intermediate_top_k": config.top_centroids,
    }
    return {
        "model_type": config.family,
        "backbone_hidden_size": config.backbone_hidden_size,
        "use_ordered_embeddings": ordered,
        "text_config": _gemma4_text_fields(config.text, target_family),
        "tie_word_embeddings": True,
    } | (sizes if ordered else {})


def _shared_text_fields(text: TextConfig) -> dict[str, object]:
    return {
        "vocab_size": text.vocab_size,
        "hidden_size": text.hidden_size,
        "intermediate_size": text.intermediate_size,
        "num_hidden_layers": text.num_layers,
        "layer_types": [kind.value for kind in text.layer_kinds],
        "num_attention_heads": text.num_heads,
        "num_key_value_heads": text.num_kv_heads,
        "head_dim": text.head_dim,
        "sliding_window": text.sliding_window,
        "max_position_embeddings": text.max_positions,
        "rope_parameters": {
            "sliding_attention": _rope_fields(text.rope_sliding),
            "full_attention": _rope_fields(text.rope_full),
        },
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": text.norm_eps,
        "attention_bias": False,
        "attention_dropout": 0.0,
        "final_logit_softcapping": text.logit_softcap,
        "tie_word_embeddings": True,
    }


def _rope_fields(rope: RopeConfig) -> dict[str, object]:
    if (rope.rotary_fraction, rope.factor) == (1.0, 1.0):
        return {"rope_type": "default", "rope_theta": rope.theta}
    fields = {
        "rope_type": "proportional",
        "rope_theta": rope.theta,
        "partial_rotary_factor": rope.rotary_fraction,
    }
    return fields if rope.factor == 1.0 else fields | {"factor": rope.factor}


def _gemma4_text_fields(text: TextConfig, family: str) -> dict[str, object]:
    moe = text.moe
    fields = _shared_text_fields(text) | {
        "model_type": f"{family}_text",
        "attention_k_eq_v": text.keys_are_values,
        "num_kv_shared_layers": text.num_kv_shared_layers,
        "use_double_wide_mlp": text.double_wide_mlp,
        "use_bidirectional_attention": "vision" if text.bidirectional_media else None,
    }
    if text.keys_are_values or text.num_full_kv_heads == text.num_kv_heads:
        fields["global_head_dim"] = text.full_head_dim
        fields["num_global_key_value_heads"] = (
            text.num_full_kv_heads if text.keys_are_values else None
        )
    else:  # the old spelling cannot say it
        fields["per_layer_config"] = {
            str(index): {
                "head_dim": text.full_head_dim,
                "num_key_value_heads": text.num_full_kv_heads,
            }
            for index, kind in enumerate(text.layer_kinds)
            if kind is LayerKind.FULL
        }
    if family == "gemma4":
        fields |= {
            "hidden_size_per_layer_input": text.per_layer_dim,
            "vocab_size_per_layer_input": text.per_layer_vocab_size,
            "enable_moe_block": moe is not None,
            "num_experts": moe.num_experts if moe else None,
            "top_k_experts": moe.top_k if moe else None,
            "moe_intermediate_size": moe.intermediate_size if moe else None,
        }
    return fields


def _gemma3_fields(config: ModelConfig) -> dict[str, object]:
    text = config.text
    eos: object = config.eos_ids[0] if len(config.eos_ids) == 1 else list(config.eos_ids)
    return _shared_text_fields(text) | {
        "model_type": "gemma3_text",
        "query_pre_attn_scalar": round(text.attention_scale**-2),
        "eos_token_id": eos,
        "bos_token_id": config.bos_id,
        "pad_token_id": config.pad_id,
    }


def _vision_fields(vision: VisionConfig | UnifiedVisionConfig) -> dict[str, object]:
    shared: dict[str, object] = {
        "patch_size": vision.patch_size,
        "pooling_kernel_size": vision.pooling_kernel_size,
        "rms_norm_eps": vision.norm_eps,
    }
    if isinstance(vision, UnifiedVisionConfig):
        return shared | {
            "model_type": "gemma4_unified_vision",
            "mm_embed_dim": vision.hidden_size,
            "mm_posemb_size": vision.position_embedding_size,
            "output_proj_dims": vision.output_size,
            "num_soft_tokens": vision.default_soft_tokens,
        }
    return shared | {
        "model_type": "gemma4_vision",
        "hidden_size": vision.hidden_size,
        "intermediate_size": vision.intermediate_size,
        "num_hidden_layers": vision.num_layers,
        "num_attention_heads": vision.num_heads,
        "num_key_value_heads": vision.num_kv_heads,
        "head_dim": vision.head_dim,
        "position_embedding_size": vision.position_embedding_size,
        "rope_parameters": {"rope_type": "axial", "rope_theta": vision.rope_theta},
        "use_clipped_linears": vision.clips_linears,
        "standardize": vision.standardizes,
        "default_output_length": vision.default_soft_tokens,
        "hidden_activation": "gelu_pytorch_tanh",
    }


def _audio_fields(audio: AudioConfig | UnifiedAudioConfig) -> dict[str, object]:
    if isinstance(audio, UnifiedAudioConfig):
        return {
            "model_type": "gemma4_unified_audio",
            "audio_embed_dim": audio.samples_per_token,
            "rms_norm_eps": audio.norm_eps,
        }
    return {
        "model_type": "gemma4_audio",
        "hidden_size": audio.hidden_size,
        "num_hidden_layers": audio.num_layers,
        "num_attention_heads": audio.num_heads,
        "output_proj_dims": audio.output_size,
        "subsampling_conv_channels": list(audio.subsampling_channels),
        "conv_kernel_size": audio.conv_kernel_size,
        "residual_weight": audio.residual_weight,
        "attention_chunk_size": audio.chunk_size,
        "attention_context_left": audio.context_left,
        "attention_context_right": audio.context_right,
        "attention_logit_cap": audio.logit_cap,
        "attention_invalid_logits_value": audio.invalid_logit,
        "gradient_clipping": audio.gradient_clipping,
        "use_clipped_linears": audio.clips_linears,
        "rms_norm_eps": audio.norm_eps,
        "hidden_act": "silu",
    }
