"""Tensors of the vision tower and its projector (specification §3)."""

from collections.abc import Iterator

from ..config import VisionConfig
from .entry import Layout, Role, TensorEntry, TensorKind
from .tower import projector, tower_linear, tower_tensor


def vision_entries(vision: VisionConfig, text_width: int) -> Iterator[TensorEntry]:
    """Every tensor; `text_width` is the decoder's hidden size."""
    width, tower = vision.hidden_size, "model.vision_tower."
    if vision.standardizes:
        for name in ("std_bias", "std_scale"):
            yield tower_tensor(
                f"{tower}{name}", (width,), f"v.{name}", TensorKind.SCALE, Role.VISION
            )
    yield tower_tensor(
        f"{tower}patch_embedder.position_embedding_table",
        (2, vision.position_embedding_size, width),
        "v.position_embd.weight",
        TensorKind.POSITION,
        Role.VISION,
    )
    yield tower_tensor(
        f"{tower}patch_embedder.input_proj.weight",
        (width, 3 * vision.patch_size**2),
        "v.patch_embd.weight",
        TensorKind.LINEAR,
        Role.VISION,
        layout=Layout.IMAGE_PATCH,
    )
    for index in range(vision.num_layers):
        yield from _layer_entries(vision, f"{tower}encoder.layers.{index}.", f"v.blk.{index}.")
    yield projector(
        "model.embed_vision.embedding_projection.weight",
        (text_width, width),
        "mm.input_projection.weight",
    )


def _layer_entries(vision: VisionConfig, path: str, block: str) -> Iterator[TensorEntry]:
    """One encoder layer."""
    width, inner = vision.hidden_size, vision.intermediate_size
    query = vision.num_heads * vision.head_dim
    key = vision.num_kv_heads * vision.head_dim
    for name, gguf_name, shape in (
        ("self_attn.q_proj", "attn_q", (query, width)),
        ("self_attn.k_proj", "attn_k", (key, width)),
        ("self_attn.v_proj", "attn_v", (key, width)),
        ("self_attn.o_proj", "attn_out", (width, query)),
        ("mlp.gate_proj", "ffn_gate", (inner, width)),
        ("mlp.up_proj", "ffn_up", (inner, width)),
        ("mlp.down_proj", "ffn_down", (width, inner)),
    ):
        yield from tower_linear(
            f"{path}{name}", shape, f"{block}{gguf_name}", Role.VISION, clips=vision.clips_linears
        )
    for name, gguf_name, size in (
        ("self_attn.q_norm", "attn_q_norm", vision.head_dim),
        ("self_attn.k_norm", "attn_k_norm", vision.head_dim),
        ("input_layernorm", "ln1", width),
        ("post_attention_layernorm", "attn_post_norm", width),
        ("pre_feedforward_layernorm", "ln2", width),
        ("post_feedforward_layernorm", "ffn_post_norm", width),
    ):
        yield tower_tensor(
            f"{path}{name}.weight",
            (size,),
            f"{block}{gguf_name}.weight",
            TensorKind.NORM,
            Role.VISION,
        )
