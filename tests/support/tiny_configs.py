"""transformers configurations of every architecture, shrunk to what a test can run.

The shapes keep what makes each size different: two head widths, KV sharing with a double-wide MLP
and per-layer embeddings, experts, K=V on full layers, a window shorter than the prompts.
"""

from transformers import (
    Gemma3TextConfig,
    Gemma4AssistantConfig,
    Gemma4AudioConfig,
    Gemma4Config,
    Gemma4TextConfig,
    Gemma4UnifiedAssistantConfig,
    Gemma4UnifiedAudioConfig,
    Gemma4UnifiedConfig,
    Gemma4UnifiedTextConfig,
    Gemma4UnifiedVisionConfig,
    Gemma4VisionConfig,
)

VOCAB_SIZE = 512
WINDOW = 8
TOKENS = {
    "boi_token_id": 500,
    "eoi_token_id": 501,
    "image_token_id": 502,
    "video_token_id": 503,
    "boa_token_id": 504,
    "eoa_token_index": 505,
    "audio_token_id": 506,
}
FIVE_LAYERS = ["sliding_attention"] * 4 + ["full_attention"]
SIX_LAYERS = ["sliding_attention"] * 5 + ["full_attention"]
ROPE = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
    "full_attention": {
        "rope_type": "proportional",
        "partial_rotary_factor": 0.25,
        "rope_theta": 1_000_000.0,
    },
}
_DECODER = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "head_dim": 16,
    "global_head_dim": 32,
    "sliding_window": WINDOW,
    "max_position_embeddings": 4096,
    "rope_parameters": ROPE,
}


def _text(**changes):
    shape = {
        **_DECODER,
        "num_hidden_layers": 6,
        "layer_types": SIX_LAYERS,
        "num_key_value_heads": 2,
        "final_logit_softcapping": 30.0,
        "hidden_size_per_layer_input": 0,
        "vocab_size_per_layer_input": VOCAB_SIZE,
    }
    return Gemma4TextConfig(**{**shape, **changes})


def vision(*, clips: bool, standardizes: bool) -> Gemma4VisionConfig:
    """A vision tower of two layers and width 48."""
    return Gemma4VisionConfig(
        hidden_size=48,
        intermediate_size=80,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=12,
        position_embedding_size=256,
        use_clipped_linears=clips,
        standardize=standardizes,
    )


def audio() -> Gemma4AudioConfig:
    """An audio tower of two layers and width 64, with clipped linear layers."""
    return Gemma4AudioConfig(
        hidden_size=64, num_hidden_layers=2, num_attention_heads=4, output_proj_dims=40
    )


def e_series() -> Gemma4Config:
    """Like E2B: the last 5 of 10 layers share keys and values; both towers."""
    text = _text(
        num_hidden_layers=10,
        layer_types=FIVE_LAYERS * 2,
        num_key_value_heads=1,
        num_kv_shared_layers=5,
        use_double_wide_mlp=True,
        hidden_size_per_layer_input=8,
    )
    seen = vision(clips=True, standardizes=False)
    return Gemma4Config(text_config=text, vision_config=seen, audio_config=audio(), **TOKENS)


def moe() -> Gemma4Config:
    """Like 26B-A4B: experts beside the dense MLP, K=V on full layers, images attended both ways."""
    text = _text(
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        enable_moe_block=True,
        num_experts=8,
        top_k_experts=3,
        moe_intermediate_size=24,
        use_bidirectional_attention="vision",
    )
    seen = vision(clips=False, standardizes=True)
    return Gemma4Config(text_config=text, vision_config=seen, audio_config=None, **TOKENS)


def dense31() -> Gemma4Config:
    """Like 31B: dense, K=V on full layers, images attended both ways."""
    text = _text(
        num_key_value_heads=4,
        num_global_key_value_heads=2,
        attention_k_eq_v=True,
        use_bidirectional_attention="vision",
    )
    seen = vision(clips=False, standardizes=True)
    return Gemma4Config(text_config=text, vision_config=seen, audio_config=None, **TOKENS)


def unified() -> Gemma4UnifiedConfig:
    """Like 12B: no towers; merged 48×48 patches and raw samples are projected directly."""
    text = Gemma4UnifiedTextConfig(
        **_DECODER,
        num_hidden_layers=6,
        layer_types=SIX_LAYERS,
        num_key_value_heads=2,
        num_global_key_value_heads=1,
        attention_k_eq_v=True,
        final_logit_softcapping=30.0,
        use_bidirectional_attention="vision",
    )
    return Gemma4UnifiedConfig(
        text_config=text,
        vision_config=Gemma4UnifiedVisionConfig(
            mm_embed_dim=56, mm_posemb_size=64, output_proj_dims=56
        ),
        audio_config=Gemma4UnifiedAudioConfig(),
        **TOKENS,
    )


def gemma3_text() -> Gemma3TextConfig:
    """Gemma 3 text: norms stored as w − 1, its own attention scale, no layer scalar."""
    return Gemma3TextConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=7,
        layer_types=[*SIX_LAYERS, "sliding_attention"],
        num_attention_heads=4,
        num_key_value_heads=1,
        head_dim=16,
        query_pre_attn_scalar=20,
        sliding_window=WINDOW,
        max_position_embeddings=4096,
    )


def drafter(target, *, ordered: bool) -> Gemma4AssistantConfig | Gemma4UnifiedAssistantConfig:
    """A drafter of four layers that reads the keys and values of `target`."""
    unified_target = isinstance(target, Gemma4UnifiedConfig)
    text_class = Gemma4UnifiedTextConfig if unified_target else Gemma4TextConfig
    drafter_class = Gemma4UnifiedAssistantConfig if unified_target else Gemma4AssistantConfig
    absent = (
        {}
        if unified_target
        else {"hidden_size_per_layer_input": 0, "vocab_size_per_layer_input": 0}
    )
    text = target.text_config
    sliding = text.per_layer_config[text.layer_types.index("sliding_attention")]
    full = text.per_layer_config[text.layer_types.index("full_attention")]
    own = text_class(
        **{**_DECODER, "hidden_size": 32, "intermediate_size": 64},
        num_hidden_layers=4,
        layer_types=["sliding_attention"] * 3 + ["full_attention"],
        num_key_value_heads=sliding.num_key_value_heads,
        num_global_key_value_heads=full.num_key_value_heads,
        attention_k_eq_v=True,
        **absent,
        num_kv_shared_layers=4,
    )
    return drafter_class(
        text_config=own,
        backbone_hidden_size=text.hidden_size,
        use_ordered_embeddings=ordered,
        num_centroids=32,
        centroid_intermediate_top_k=4,
    )
