"""config.json of Gemma 3 text (270M, 1B), with the older spellings of its rotation and pattern."""

from ..layers import LayerKind, RopeConfig
from ..published import ROPE_FULL_GEMMA3, ROPE_SLIDING
from ..section import Section
from ..text import TextConfig
from .keys import ignore_common
from .layers import read_layer_kinds, read_rope
from .text import check_heads


def read_gemma3_text(section: Section) -> TextConfig:
    """Read the decoder of Gemma 3 270M or 1B."""
    ignore_common(section)
    section.demand("hidden_activation", ("gelu_pytorch_tanh",), "supported: gelu_pytorch_tanh")
    section.demand("use_bidirectional_attention", (False,), "embedding models are not supported")
    section.demand("attn_logit_softcapping", (), "Gemma 3 does not cap attention")
    section.demand("final_logit_softcapping", (), "Gemma 3 does not cap logits")
    section.demand("rope_scaling", (), "only the 4B and larger scale their rotation")
    rope_sliding, rope_full = _read_gemma3_ropes(section)
    num_kv_heads = section.integer("num_key_value_heads")
    head_dim = section.integer("head_dim", 256)
    text = TextConfig(
        vocab_size=section.integer("vocab_size"),
        hidden_size=section.integer("hidden_size"),
        intermediate_size=section.integer("intermediate_size"),
        layer_kinds=read_layer_kinds(section, last_is_full=False),
        num_heads=section.integer("num_attention_heads"),
        num_kv_heads=num_kv_heads,
        num_full_kv_heads=num_kv_heads,
        head_dim=head_dim,
        full_head_dim=head_dim,
        sliding_window=section.integer("sliding_window"),
        max_positions=section.integer("max_position_embeddings"),
        rope_sliding=rope_sliding,
        rope_full=rope_full,
        attention_scale=section.number("query_pre_attn_scalar", 256.0, low=1.0, high=1e9) ** -0.5,
        normalizes_values=False,
        has_layer_scalar=False,
        norm_weight_offset=1.0,
        norm_eps=section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0),
    )
    check_heads(section, text)
    return text


def _read_gemma3_ropes(section: Section) -> tuple[RopeConfig, RopeConfig]:
    """The new `rope_parameters`, or the older `rope_theta` and `rope_local_base_freq`."""
    old_full = RopeConfig(
        theta=section.number("rope_theta", ROPE_FULL_GEMMA3.theta, low=1.0, high=1e12)
    )
    old_sliding = RopeConfig(
        theta=section.number("rope_local_base_freq", ROPE_SLIDING.theta, low=1.0, high=1e12)
    )
    ropes = section.section("rope_parameters")
    if ropes is None:
        return old_sliding, old_full
    sliding = read_rope(ropes.section(LayerKind.SLIDING.value), old_sliding, proportional=False)
    full = read_rope(ropes.section(LayerKind.FULL.value), old_full, proportional=False)
    ropes.close()
    for key, old, new in (
        ("rope_theta", old_full, full),
        ("rope_local_base_freq", old_sliding, sliding),
    ):
        if section.has(key) and old != new:
            section.report(key, f"= {old.theta:g} contradicts rope_parameters; give one")
    return sliding, full
