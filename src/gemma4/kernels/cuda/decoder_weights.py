"""The decoder's weights as the GPU's pass reads them: stacked where one product computes several.

Letters: D model width, F ffn, N query heads, K kv heads, H head dim, E experts, P per-layer dim, V vocab.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ...config import LayerSpec, TextConfig
from ...errors import CheckpointError
from .packed import PackedMatrix, Weight, stack_rows


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExpertWeights:
    """Experts of a layer.

    Attributes:
        router: [E, D]. scale: [E]. gate_up: E matrices [2F, D]. down: E matrices [D, F].
        dense_norm, sparse_norm: [D], what comes out of the MLP and of the experts is normed with.
    """

    router: Weight
    scale: Tensor
    gate_up: Weight
    down: Weight
    dense_norm: Tensor
    sparse_norm: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PerLayerWeights:
    """The per-layer input's gate [P, D], projection [D, P] and norm [D]."""

    gate: Weight
    projection: Weight
    norm: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LayerWeights:
    """One decoder layer.

    Attributes:
        qkv: rows of queries, then keys, then values, as far as the layer owns them, each heads · H.
        query_norm, key_norm: [H]; a layer without keys gives its query norm twice.
        gate_up: gate rows above up rows [2F, D].
        input_norm: [D]. after_attention: norms of the stream behind attention [M, D]: the MLP's; with
            experts also theirs, and the router's scale divided by √D.
        scalar: [1] or None.
    """

    qkv: Weight
    output: Weight
    gate_up: Weight
    down: Weight
    query_norm: Tensor
    key_norm: Tensor
    input_norm: Tensor
    post_attention: Tensor
    after_attention: Tensor
    post_feedforward: Tensor
    scalar: Tensor | None
    experts: ExpertWeights | None
    per_layer: PerLayerWeights | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DecoderWeights:
    """All layers, the embedding [V, D], the final norm [D], and what per-layer inputs are made of."""

    layers: tuple[LayerWeights, ...]
    embedding: Tensor
    norm: Tensor
    per_layer_projection: Tensor | None = None
    per_layer_norm: Tensor | None = None


class NamedWeights(Protocol):
    """The tensors of a decoder by its module paths; a mapping is one."""

    def __getitem__(self, name: str, /) -> Weight:
        """The tensor of this path."""
        ...


def decoder_weights(
    config: TextConfig, state: NamedWeights, layers: Iterable[LayerWeights] | None = None
) -> DecoderWeights:
    """All tensors of a decoder, those of one product stacked.

    Args:
        layers: made by `layer_weights` one by one, for who lets go of the parts in between.

    Raises:
        CheckpointError: matrices of one product in formats that cannot be stacked.
    """
    if layers is None:
        layers = (layer_weights(config, spec, state) for spec in config.plan_layers())
    return DecoderWeights(
        layers=tuple(layers),
        embedding=_plain(state, "embed_tokens.weight"),
        norm=_plain(state, "norm.weight"),
        per_layer_projection=_plain(state, "per_layer_model_projection.weight")
        if config.per_layer_dim
        else None,
        per_layer_norm=_plain(state, "per_layer_projection_norm.weight")
        if config.per_layer_dim
        else None,
    )


def product_parts(spec: LayerSpec) -> dict[str, tuple[str, ...]]:
    """Paths within a layer of the matrices that one product computes, by the field of `LayerWeights`."""
    owned = ("k",) if spec.keys_are_values else ("k", "v")
    heads = ("q", *owned) if spec.owns_kv else ("q",)
    return {
        "qkv": tuple(f"self_attn.{part}_proj.weight" for part in heads),
        "gate_up": ("mlp.gate_proj.weight", "mlp.up_proj.weight"),
    }


def layer_weights(config: TextConfig, spec: LayerSpec, state: NamedWeights) -> LayerWeights:
    """One layer of them; see `decoder_weights`."""
    path = f"layers.{spec.index}."
    parts = {
        field: _stacked([state[path + name] for name in names])
        for field, names in product_parts(spec).items()
    }
    query_norm = _plain(state, path + "self_attn.q_norm.weight")
    return LayerWeights(
        qkv=parts["qkv"],
        output=state[path + "self_attn.o_proj.weight"],
        gate_up=parts["gate_up"],
        down=state[path + "mlp.down_proj.weight"],
        query_norm=query_norm,
        key_norm=_plain(state, path + "self_attn.k_norm.weight") if spec.owns_kv else query_norm,
        input_norm=_plain(state, path + "input_layernorm.weight"),
        post_attention=_plain(state, path + "post_attention_layernorm.weight"),
        after_attention=_after_attention(config, path, state),
        post_feedforward=_plain(state, path + "post_feedforward_layernorm.weight"),
        scalar=_plain(state, path + "layer_scalar") if config.has_layer_scalar else None,
        experts=_experts(path, state) if config.moe else None,
        per_layer=_per_layer(path, state) if config.per_layer_dim else None,
    )


def _after_attention(config: TextConfig, path: str, state: NamedWeights) -> Tensor:
    dense = _plain(state, path + "pre_feedforward_layernorm.weight")
    if config.moe is None:
        return dense[None]
    sparse = _plain(state, path + "pre_feedforward_layernorm_2.weight")
    router = _plain(state, path + "router.scale").float() * config.hidden_size**-0.5
    return torch.stack((dense.float(), sparse.float(), router))


def _experts(path: str, state: NamedWeights) -> ExpertWeights:
    return ExpertWeights(
        router=state[path + "router.proj.weight"],
        scale=_plain(state, path + "router.per_expert_scale"),
        gate_up=state[path + "experts.gate_up_proj"],
        down=state[path + "experts.down_proj"],
        dense_norm=_plain(state, path + "post_feedforward_layernorm_1.weight"),
        sparse_norm=_plain(state, path + "post_feedforward_layernorm_2.weight"),
    )


def _per_layer(path: str, state: NamedWeights) -> PerLayerWeights:
    return PerLayerWeights(
        gate=state[path + "per_layer_input_gate.weight"],
        projection=state[path + "per_layer_projection.weight"],
        norm=_plain(state, path + "post_per_layer_input_norm.weight"),
    )


def _plain(state: NamedWeights, name: str) -> Tensor:
    tensor = state[name]
    assert isinstance(tensor, Tensor), f"{name} is quantized; kernels read it as plain numbers"
    return tensor


def _stacked(parts: list[Weight]) -> Weight:
    if len(parts) == 1:
        return parts[0]
    packed = [part for part in parts if isinstance(part, PackedMatrix)]
    plain = [part for part in parts if isinstance(part, Tensor)]
    if packed and plain:
        raise CheckpointError(
            f"{len(packed)} of {len(parts)} matrices of one product are quantized; a GPU reads them"
            " in one go: load all of them expanded"
        )
    return stack_rows(packed) if packed else torch.cat(plain)
