"""Tensors of the text decoder: Gemma 4, its drafters and Gemma 3 (specification §2.11, §7)."""

from collections.abc import Iterator

from ..config import LayerSpec, TextConfig
from .entry import (
    EIGHT_BITS,
    FOUR_BITS,
    FULL_PRECISION,
    SIX_BITS,
    SIXTEEN_BITS,
    Role,
    TensorEntry,
    TensorKind,
)

DEAD_IN_SHARING_LAYERS = (
    ("self_attn.k_proj.weight", "attn_k.weight"),
    ("self_attn.v_proj.weight", "attn_v.weight"),
    ("self_attn.k_norm.weight", "attn_k_norm.weight"),
)
"""Tensors that published files carry for layers without keys of their own; nothing uses them."""


def linear(
    name: str,
    shape: tuple[int, ...],
    gguf_name: str,
    role: Role,
    *,
    lowest_bits: int = FOUR_BITS,
) -> TensorEntry:
    """Entry of a matrix [out, in]."""
    return TensorEntry(
        name=name,
        shape=shape,
        gguf_name=gguf_name,
        kind=TensorKind.LINEAR,
        role=role,
        lowest_bits=lowest_bits,
    )


def norm(
    name: str, size: int, gguf_name: str, role: Role, *, file_offset: float = 0.0
) -> TensorEntry:
    """Entry of a norm's weight; where the file lacks an offset, float32 holds w + 1 exactly."""
    return TensorEntry(
        name=name,
        shape=(size,),
        gguf_name=gguf_name,
        kind=TensorKind.NORM,
        role=role,
        lowest_bits=FULL_PRECISION if file_offset else SIXTEEN_BITS,
        file_offset=file_offset,
        dtype="float32" if file_offset else None,
    )


def scale(name: str, shape: tuple[int, ...], gguf_name: str, role: Role) -> TensorEntry:
    """Entry of a learned factor."""
    return TensorEntry(
        name=name, shape=shape, gguf_name=gguf_name, kind=TensorKind.SCALE, role=role
    )


def text_entries(text: TextConfig, prefix: str) -> Iterator[TensorEntry]:
    """Every tensor of a decoder whose modules lie under `prefix` (`model.language_model.`)."""
    yield TensorEntry(
        name=f"{prefix}embed_tokens.weight",
        shape=(text.vocab_size, text.hidden_size),
        gguf_name="token_embd.weight",
        kind=TensorKind.EMBEDDING,
        role=Role.EMBEDDING,
        lowest_bits=SIX_BITS,
    )
    yield norm(
        f"{prefix}norm.weight",
        text.hidden_size,
        "output_norm.weight",
        Role.STREAM,
        file_offset=text.norm_weight_offset,
    )
    if text.per_layer_dim:
        yield from _per_layer_entries(text, prefix)
    for spec in text.plan_layers():
        yield from _layer_entries(text, spec, f"{prefix}layers.{spec.index}.", f"blk.{spec.index}.")


def dead_names(text: TextConfig, prefix: str) -> Iterator[tuple[str, str]]:
    """Pairs (module path it would have, GGUF name) of tensors that a file may carry for nothing."""
    for index in range(text.first_shared_layer, text.num_layers):
        for name, gguf_name in DEAD_IN_SHARING_LAYERS:
            yield f"{prefix}layers.{index}.{name}", f"blk.{index}.{gguf_name}"


def _per_layer_entries(text: TextConfig, prefix: str) -> Iterator[TensorEntry]:
    """The tables and projections of the per-layer embeddings."""
    width = text.num_layers * text.per_layer_dim
    yield TensorEntry(
        name=f"{prefix}embed_tokens_per_layer.weight",
        shape=(text.per_layer_vocab_size, width),
        gguf_name="per_layer_token_embd.weight",
        kind=TensorKind.PER_LAYER_TABLE,
        role=Role.PER_LAYER,
        lowest_bits=SIX_BITS,
    )
    yield linear(
        f"{prefix}per_layer_model_projection.weight",
        (width, text.hidden_size),
        "per_layer_model_proj.weight",
        Role.PER_LAYER,
        lowest_bits=EIGHT_BITS,
    )
    yield norm(
        f"{prefix}per_layer_projection_norm.weight",
        text.per_layer_dim,
        "per_layer_proj_norm.weight",
        Role.PER_LAYER,
    )


def _layer_entries(
    text: TextConfig, spec: LayerSpec, path: str, block: str
) -> Iterator[TensorEntry]:
    """One decoder layer."""
    width, offset = text.hidden_size, text.norm_weight_offset
    if text.has_layer_scalar:
        yield scale(f"{path}layer_scalar", (1,), f"{block}layer_output_scale.weight", Role.STREAM)
    yield from _attention_entries(text, spec, path, block)
    for projection in ("gate", "up", "down"):
        size = (spec.intermediate_size, width)
        yield linear(
            f"{path}mlp.{projection}_proj.weight",
            size[::-1] if projection == "down" else size,
            f"{block}ffn_{projection}.weight",
            Role.MLP,
        )
    for name, gguf_name in (
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "post_attention_norm"),
        ("pre_feedforward_layernorm", "ffn_norm"),
        ("post_feedforward_layernorm", "post_ffw_norm"),
    ):
        yield norm(
            f"{path}{name}.weight",
            width,
            f"{block}{gguf_name}.weight",
            Role.STREAM,
            file_offset=offset,
        )
    if text.per_layer_dim:
        yield from _layer_gate_entries(text, path, block)
    if text.moe is not None:
        yield from _expert_entries(text, path, block)


def _attention_entries(
    text: TextConfig, spec: LayerSpec, path: str, block: str
) -> Iterator[TensorEntry]:
    """Projections and head norms; a layer that borrows its keys has the query's side only."""
    width, head, offset = text.hidden_size, spec.head_dim, text.norm_weight_offset
    query, key = spec.num_heads * head, spec.num_kv_heads * head
    shapes = {"q": (query, width)}
    if spec.owns_kv:
        shapes["k"] = (key, width)
        if not spec.keys_are_values:
            shapes["v"] = (key, width)
    for letter, shape in shapes.items():
        name = f"{path}self_attn.{letter}_proj.weight"
        yield linear(name, shape, f"{block}attn_{letter}.weight", Role.ATTENTION)
    yield linear(
        f"{path}self_attn.o_proj.weight",
        (width, query),
        f"{block}attn_output.weight",
        Role.ATTENTION,
    )
    for letter in "qk" if spec.owns_kv else "q":
        yield norm(
            f"{path}self_attn.{letter}_norm.weight",
            head,
            f"{block}attn_{letter}_norm.weight",
            Role.ATTENTION,
            file_offset=offset,
        )


def _layer_gate_entries(text: TextConfig, path: str, block: str) -> Iterator[TensorEntry]:
    """A layer's use of its per-layer embedding."""
    width, inner = text.hidden_size, text.per_layer_dim
    yield linear(
        f"{path}per_layer_input_gate.weight",
        (inner, width),
        f"{block}inp_gate.weight",
        Role.PER_LAYER,
        lowest_bits=EIGHT_BITS,
    )
    yield linear(
        f"{path}per_layer_projection.weight",
        (width, inner),
        f"{block}proj.weight",
        Role.PER_LAYER,
        lowest_bits=EIGHT_BITS,
    )
    yield norm(
        f"{path}post_per_layer_input_norm.weight",
        width,
        f"{block}post_norm.weight",
        Role.PER_LAYER,
    )


def _expert_entries(text: TextConfig, path: str, block: str) -> Iterator[TensorEntry]:
    """Router, experts and their norms."""
    if text.moe is None:
        return
    width, experts, inner = (
        text.hidden_size,
        text.moe.num_experts,
        text.moe.intermediate_size,
    )
    yield linear(
        f"{path}router.proj.weight",
        (experts, width),
        f"{block}ffn_gate_inp.weight",
        Role.ROUTER,
        lowest_bits=SIXTEEN_BITS,
    )
    yield scale(f"{path}router.scale", (width,), f"{block}ffn_gate_inp.scale", Role.ROUTER)
    yield scale(
        f"{path}router.per_expert_scale", (experts,), f"{block}ffn_down_exps.scale", Role.ROUTER
    )
    for name, shape, gguf_name in (
        ("gate_up_proj", (experts, 2 * inner, width), "ffn_gate_up_exps"),
        ("down_proj", (experts, width, inner), "ffn_down_exps"),
    ):
        yield TensorEntry(
            name=f"{path}experts.{name}",
            shape=shape,
            gguf_name=f"{block}{gguf_name}.weight",
            kind=TensorKind.EXPERTS,
            role=Role.EXPERTS,
            lowest_bits=FOUR_BITS,
        )
    for name, gguf_name in (
        ("pre_feedforward_layernorm_2", "pre_ffw_norm_2"),
        ("post_feedforward_layernorm_1", "post_ffw_norm_1"),
        ("post_feedforward_layernorm_2", "post_ffw_norm_2"),
    ):
        yield norm(f"{path}{name}.weight", width, f"{block}{gguf_name}.weight", Role.STREAM)
