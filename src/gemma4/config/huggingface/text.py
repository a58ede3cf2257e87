"""The text section of config.json for Gemma 4 of every size and its drafters."""

from ..layers import LayerKind, RopeConfig
from ..published import ROPE_FULL, ROPE_SLIDING
from ..section import Section
from ..text import MoeConfig, TextConfig
from .keys import ignore_common
from .layers import FullHeads, read_full_heads, read_layer_kinds, read_rope


def read_gemma4_text(section: Section, *, unified: bool, drafter: bool) -> TextConfig:
    """Read the decoder of a Gemma 4 model or drafter.

    Args:
        unified: of the 12B, which has no per-layer embeddings and no experts.
        drafter: all layers borrow their keys and values.
    """
    ignore_common(section)
    section.demand("hidden_activation", ("gelu_pytorch_tanh",), "supported: gelu_pytorch_tanh")
    kinds = read_layer_kinds(section, last_is_full=True)
    keys_are_values = section.flag("attention_k_eq_v", False)
    sliding = FullHeads(
        head_dim=section.integer("head_dim", 256),
        num_kv_heads=section.integer("num_key_value_heads"),
    )
    full = read_full_heads(section, kinds, sliding, keys_are_values=keys_are_values)
    rope_sliding, rope_full = _read_ropes(section)
    per_layer_dim = section.integer(
        "hidden_size_per_layer_input", 0 if unified else 256, low=0, high=2**20
    )
    per_layer_vocab_size = section.integer("vocab_size_per_layer_input", 262_144, low=0)
    text = TextConfig(
        vocab_size=section.integer("vocab_size"),
        hidden_size=section.integer("hidden_size"),
        intermediate_size=section.integer("intermediate_size"),
        layer_kinds=kinds,
        num_heads=section.integer("num_attention_heads"),
        num_kv_heads=sliding.num_kv_heads,
        num_full_kv_heads=full.num_kv_heads,
        head_dim=sliding.head_dim,
        full_head_dim=full.head_dim,
        sliding_window=section.integer("sliding_window"),
        max_positions=section.integer("max_position_embeddings"),
        rope_sliding=rope_sliding,
        rope_full=rope_full,
        keys_are_values=keys_are_values,
        num_kv_shared_layers=_read_sharing(section, len(kinds), drafter=drafter),
        double_wide_mlp=section.flag("use_double_wide_mlp", False),
        per_layer_dim=per_layer_dim,
        per_layer_vocab_size=per_layer_vocab_size if per_layer_dim else 0,
        moe=_read_moe(section),
        bidirectional_media=_read_bidirectional(section, unified=unified),
        logit_softcap=_read_softcap(section, drafter=drafter),
        norm_eps=section.number("rms_norm_eps", 1e-6, low=0.0, high=1.0),
    )
    _check_parts(section, text, unified=unified, drafter=drafter)
    check_heads(section, text)
    return text


def _read_ropes(section: Section) -> tuple[RopeConfig, RopeConfig]:
    ropes = section.section("rope_parameters")
    if ropes is None:
        return ROPE_SLIDING, ROPE_FULL
    sliding = read_rope(ropes.section(LayerKind.SLIDING.value), ROPE_SLIDING, proportional=True)
    full = read_rope(ropes.section(LayerKind.FULL.value), ROPE_FULL, proportional=True)
    ropes.close()
    return sliding, full


def _read_sharing(section: Section, num_layers: int, *, drafter: bool) -> int:
    """Number of layers that borrow keys and values. A drafter says 0 or all, and means all."""
    count = section.integer("num_kv_shared_layers", 0, low=0)
    if drafter:
        if count not in (0, num_layers):
            section.report(
                "num_kv_shared_layers",
                f"= {count}; a drafter's {num_layers} layers all borrow theirs",
            )
        return num_layers
    if count >= num_layers:
        section.report(
            "num_kv_shared_layers",
            f"= {count} leaves none of {num_layers} layers with keys and values; give less",
        )
        return 0
    return count


def _read_moe(section: Section) -> MoeConfig | None:
    enabled = section.flag("enable_moe_block", False)
    widths = [k for k in ("moe_intermediate_size", "expert_intermediate_size") if section.has(k)]
    counts = [k for k in ("top_k_experts", "num_experts_per_tok") if section.has(k)]
    if not enabled:
        stray = [k for k in (*widths, *counts, "num_experts") if section.has(k)]
        for key in stray:
            section.report(key, "is set, but enable_moe_block is not; remove it or set the flag")
        return None
    num_experts = section.integer("num_experts", high=2**16)
    top_ks = {section.integer(key, high=2**16) for key in counts or ["top_k_experts"]}
    sizes = {section.integer(key) for key in widths or ["moe_intermediate_size"]}
    if len(top_ks) > 1 or len(sizes) > 1:
        section.report("num_experts", "has a setting under two names with different values")
    if max(top_ks) > num_experts:
        section.report("top_k_experts", f"= {max(top_ks)} exceeds num_experts = {num_experts}")
    return MoeConfig(num_experts=num_experts, top_k=min(top_ks), intermediate_size=min(sizes))


def _read_bidirectional(section: Section, *, unified: bool) -> bool:
    if section.raw("use_bidirectional_attention") is None:
        # The class for the 12B defaults to "vision"; an explicit null means causal there too.
        return unified and not section.holds("use_bidirectional_attention")
    return section.choice("use_bidirectional_attention", "vision", ("vision",)) == "vision"


def _read_softcap(section: Section, *, drafter: bool) -> float | None:
    """The cap on logits; a drafter has none, whatever its file says, as in transformers."""
    if not section.has("final_logit_softcapping") or drafter:
        return None
    return section.number("final_logit_softcapping", low=1e-3, high=1e6)


def _check_parts(section: Section, text: TextConfig, *, unified: bool, drafter: bool) -> None:
    """Report parts that this kind of model does not have."""
    owner = "a drafter" if drafter else "gemma4_unified" if unified else ""
    if not owner:
        if text.per_layer_dim and not text.per_layer_vocab_size:
            section.report("vocab_size_per_layer_input", "= 0 with hidden_size_per_layer_input set")
        return
    if text.per_layer_dim:
        section.report("hidden_size_per_layer_input", f"= {text.per_layer_dim}; {owner} has none")
    if text.moe:
        section.report("enable_moe_block", f"= True; {owner} has no experts")
    if drafter and text.double_wide_mlp:
        section.report("use_double_wide_mlp", "= True; a drafter has none")


def check_heads(section: Section, text: TextConfig) -> None:
    """Report head counts and widths that cannot be grouped or rotated."""
    for key, count in (
        ("num_key_value_heads", text.num_kv_heads),
        ("num_global_key_value_heads", text.num_full_kv_heads),
    ):
        if text.num_heads % count:
            section.report(key, f"= {count} does not divide num_attention_heads = {text.num_heads}")
    for key, width in (("head_dim", text.head_dim), ("global_head_dim", text.full_head_dim)):
        if width % 2:
            section.report(key, f"= {width} is odd; rotation needs pairs")
