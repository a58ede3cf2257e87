"""Small decoders with random weights, for the readable model and for the GPU's pass alike."""

import torch
from torch import Tensor
from triton_weights import random_blocks

from gemma4.config import LayerKind, MoeConfig, RopeConfig, TextConfig, plan_kv_groups
from gemma4.kernels.cuda.decoder import CudaDecoder
from gemma4.kernels.cuda.decoder_weights import decoder_weights
from gemma4.kernels.cuda.packed import PackedMatrix, Weight, pack_q4_0
from gemma4.model.decoder import Decoder

BLOCKS = 2  # pages of each request and group
_S, _F = LayerKind.SLIDING, LayerKind.FULL


def small_config(form: str) -> TextConfig:
    """`e_series` (sharing layers, per-layer inputs), `moe` (experts, keys as values) or `dense`."""
    e_series, moe = form == "e_series", form == "moe"
    return TextConfig(
        vocab_size=64,
        hidden_size=64,
        intermediate_size=64,
        layer_kinds=(_S, _F, _S, _F) if e_series else (_S, _F),
        num_heads=4,
        num_kv_heads=1 if e_series else 2,
        num_full_kv_heads=1,
        head_dim=32,
        full_head_dim=64,
        sliding_window=9,
        max_positions=256,
        rope_sliding=RopeConfig(theta=1e4),
        rope_full=RopeConfig(theta=1e6, rotary_fraction=0.25),
        keys_are_values=not e_series,
        num_kv_shared_layers=2 if e_series else 0,
        double_wide_mlp=e_series,
        per_layer_dim=32 if e_series else 0,
        per_layer_vocab_size=64 if e_series else 0,
        moe=MoeConfig(num_experts=6, top_k=2, intermediate_size=32) if moe else None,
        bidirectional_media=not e_series,
        logit_softcap=30.0,
    )


def random_state(config: TextConfig) -> dict[str, Tensor]:
    """Weights by module path, of a size that keeps activations near one."""
    state = Decoder(config).state_dict()
    for name, tensor in state.items():
        if tensor.ndim > 1:
            state[name] = torch.randn(tensor.shape) / tensor.shape[-1] ** 0.5
        else:
            state[name] = torch.rand(tensor.shape) + 0.5
    return state


def quantize(state: dict[str, Tensor]) -> dict[str, Weight]:
    """The same names, the layers' matrices as random Q4_0 blocks, norms and tables in float16."""
    found: dict[str, Weight] = {}
    for name, tensor in state.items():
        if not name.startswith("layers.") or tensor.ndim == 1:
            found[name] = tensor.half()
            continue
        matrices = tensor.shape[0] if tensor.ndim == 3 else 1
        raw = random_blocks("Q4_0", matrices * tensor.shape[-2], tensor.shape[-1], scale=0.02)
        found[name] = pack_q4_0(raw, matrices=matrices)
    return found


def expanded(config: TextConfig, state: dict[str, Weight]) -> dict[str, Tensor]:
    """float32 weights for the readable model."""
    shapes = {name: tensor.shape for name, tensor in Decoder(config).state_dict().items()}
    return {
        name: tensor.dequantize().view(shapes[name])
        if isinstance(tensor, PackedMatrix)
        else tensor.float()
        for name, tensor in state.items()
    }


def readable(config: TextConfig, state: dict[str, Tensor]) -> Decoder:
    """The model of `gemma4.model`."""
    model = Decoder(config)
    model.load_state_dict(state)
    return model.eval().requires_grad_(False)


def fused(
    config: TextConfig, state: dict[str, Weight], requests: int
) -> tuple[CudaDecoder, list[Tensor]]:
    """The GPU's pass over pages of its own, and scattered page tables [requests, BLOCKS] of each group."""
    dtype = state["norm.weight"].dtype
    groups = plan_kv_groups(config.plan_layers())
    keys, values, tables = [], [], []
    for group in groups:
        shape = (requests * BLOCKS + 1, len(group.layers), group.num_kv_heads)
        keys.append(torch.full((*shape, group.head_dim, 32), float("nan"), dtype=dtype))
        values.append(torch.full((*shape, 32, group.head_dim), float("nan"), dtype=dtype))
        tables.append(torch.randperm(requests * BLOCKS).int().view(requests, BLOCKS))
    return CudaDecoder(config, decoder_weights(config, state), keys, values), tables
