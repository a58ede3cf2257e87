"""Tiny random Gemma 4 GGUF files that llama.cpp runs: with a vocabulary, and the same bytes on any machine.

The names and shapes are written out here and come from no table of the project. Rows are whole numbers
of quantization blocks. The layers keep what llama.cpp asks of a model with shared keys and values:
the last two that own theirs are a sliding one and a full one.

Letters: D model width, N query heads, K kv heads, H head dim, F ffn, E experts, V vocab, L layers,
P per-layer dim.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

VOCAB_SIZE = 512
HEADS = 4
HEAD_DIM, FULL_HEAD_DIM = 32, 64
WINDOW = 16
SIX_LAYERS = (True, True, True, True, True, False)  # which slide


@dataclass(frozen=True, kw_only=True)
class TinyModel:
    """What tells one size from another; defaults are those of the 31B-like."""

    seed: int
    width: int = 128
    slides: tuple[bool, ...] = SIX_LAYERS
    num_shared: int = 0
    kv_heads: int = 4
    full_kv_heads: int = 2
    keys_are_values: bool = True
    ffn: int = 192
    per_layer_dim: int = 0
    num_experts: int = 0
    experts_used: int = 0
    expert_ffn: int = 0


MODELS = {
    "e_series": TinyModel(
        seed=1,
        slides=SIX_LAYERS[1:] * 2,
        num_shared=5,
        kv_heads=1,
        full_kv_heads=1,
        keys_are_values=False,
        ffn=128,
        per_layer_dim=32,
    ),
    "moe": TinyModel(
        seed=15,  # one where no choice of experts in the tests' text is a near tie; most have some
        kv_heads=2,
        full_kv_heads=1,
        ffn=128,
        num_experts=8,
        experts_used=3,
        expert_ffn=64,
    ),
    "dense31": TinyModel(seed=3),
}


CARRIER = TinyModel(seed=4, width=64)
"""As wide as the models of `tiny_models`: llama.cpp wants a text model beside a projector."""


def write_full_gguf(kind: str, path: Path, encoding: str = "F32") -> Path:
    """Write a model of `MODELS`; its matrices in `encoding`, all else in float32."""
    return write_model(MODELS[kind], path, encoding)


def write_model(model: TinyModel, path: Path, encoding: str = "F32") -> Path:
    """Write any model of this form."""
    writer = gguf.GGUFWriter(path, "gemma4")
    _add_shape_keys(writer, model)
    _add_vocabulary(writer)
    draw = np.random.PCG64(model.seed)
    for name, shape, mean, deviation in _tensors(model):
        values = _draw(draw, shape, mean, deviation)
        kind_of = gguf.GGMLQuantizationType[encoding if len(shape) > 1 else "F32"]
        writer.add_tensor(name, gguf.quants.quantize(values, kind_of), raw_dtype=kind_of)
    turning = FULL_HEAD_DIM // 8  # a quarter of the pairs; the others stand still
    factors = [1.0] * turning + [1e30] * (FULL_HEAD_DIM // 2 - turning)
    writer.add_tensor("rope_freqs.weight", np.array(factors, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _draw(
    draw: np.random.PCG64, shape: tuple[int, ...], mean: float, deviation: float
) -> np.ndarray:
    """Even between two bounds, by arithmetic that every machine rounds alike."""
    raw = draw.random_raw(int(np.prod(shape))) >> np.uint64(11)
    even = raw.astype(np.float64) * 2.0**-53 - 0.5
    return (even * (12**0.5 * deviation) + mean).astype(np.float32).reshape(shape)


def _tensors(model: TinyModel) -> Iterator[tuple[str, tuple[int, ...], float, float]]:
    """Name, shape, mean and deviation of every tensor but `rope_freqs`."""
    layers, dim, width = len(model.slides), model.per_layer_dim, model.width
    yield "token_embd.weight", (VOCAB_SIZE, width), 0.0, width**-0.5
    yield "output_norm.weight", (width,), 1.0, 0.2
    if dim:
        yield "per_layer_token_embd.weight", (VOCAB_SIZE, layers * dim), 0.0, dim**-0.5
        yield "per_layer_model_proj.weight", (layers * dim, width), 0.0, width**-0.5
        yield "per_layer_proj_norm.weight", (dim,), 1.0, 0.2
    for index in range(layers):
        for name, shape, mean, deviation in _layer_tensors(model, index):
            yield f"blk.{index}.{name}", shape, mean, deviation


def _layer_tensors(
    model: TinyModel, index: int
) -> Iterator[tuple[str, tuple[int, ...], float, float]]:
    slides, width = model.slides[index], model.width
    owns = index < len(model.slides) - model.num_shared
    head = HEAD_DIM if slides else FULL_HEAD_DIM
    kv_width = head * (model.kv_heads if slides else model.full_kv_heads)
    ffn = model.ffn if owns else 2 * model.ffn
    matrices = {"attn_q": (HEADS * head, width), "attn_output": (width, HEADS * head)}
    matrices |= {"ffn_gate": (ffn, width), "ffn_up": (ffn, width), "ffn_down": (width, ffn)}
    norms = ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"]
    if owns:
        matrices["attn_k"] = (kv_width, width)
        yield "attn_k_norm.weight", (head,), 1.0, 0.2
        if slides or not model.keys_are_values:
            matrices["attn_v"] = (kv_width, width)
    if model.per_layer_dim:
        matrices |= {"inp_gate": (model.per_layer_dim, width), "proj": (width, model.per_layer_dim)}
        norms.append("post_norm")
    if model.num_experts:
        shape = (model.num_experts, 2 * model.expert_ffn, width)
        yield "ffn_gate_up_exps.weight", shape, 0.0, width**-0.5
        shape = (model.num_experts, width, model.expert_ffn)
        yield "ffn_down_exps.weight", shape, 0.0, model.expert_ffn**-0.5
        yield "ffn_gate_inp.weight", (model.num_experts, width), 0.0, 1.0
        yield "ffn_gate_inp.scale", (width,), 1.0, 0.2
        yield "ffn_down_exps.scale", (model.num_experts,), 1.0, 0.2
        norms += ["post_ffw_norm_1", "pre_ffw_norm_2", "post_ffw_norm_2"]
    for name, shape in matrices.items():
        yield f"{name}.weight", shape, 0.0, shape[1] ** -0.5
    for name in norms:
        yield f"{name}.weight", (width,), 1.0, 0.2
    # As trained models have it: scores of a few units, so that attention is no lottery.
    yield "attn_q_norm.weight", (head,), 0.4, 0.1
    yield "layer_output_scale.weight", (1,), 0.8, 0.1


def _add_shape_keys(writer: gguf.GGUFWriter, model: TinyModel) -> None:
    layers = len(model.slides)
    owners = layers - model.num_shared
    writer.add_vocab_size(VOCAB_SIZE)
    writer.add_block_count(layers)
    writer.add_context_length(4096)
    writer.add_embedding_length(model.width)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv([model.kv_heads if s else model.full_kv_heads for s in model.slides])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_sliding_window(WINDOW)
    writer.add_sliding_window_pattern(list(model.slides))
    writer.add_shared_kv_layers(model.num_shared)
    writer.add_feed_forward_length([model.ffn] * owners + [2 * model.ffn] * model.num_shared)
    writer.add_embedding_length_per_layer_input(model.per_layer_dim)
    writer.add_rope_freq_base(1e6)
    writer.add_float32("gemma4.rope.freq_base_swa", 1e4)
    for head, suffix in ((FULL_HEAD_DIM, ""), (HEAD_DIM, "_swa")):
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
            writer.add_uint32(f"gemma4.{key}{suffix}", head)
    writer.add_final_logit_softcapping(10.0)  # not the real 30: scores this small would not feel it
    if model.num_experts:
        writer.add_expert_count(model.num_experts)
        writer.add_expert_used_count(model.experts_used)
        writer.add_expert_feed_forward_length(model.expert_ffn)


def _add_vocabulary(writer: gguf.GGUFWriter) -> None:
    """Four control tokens, all bytes, and letters: enough for a loader; the prompts are ids."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [gguf.TokenType.CONTROL] * 4 + [gguf.TokenType.BYTE] * 256
    tokens += ["\n", "▁", "a", "b", "ab"]
    tokens += [chr(0x4E00 + index) for index in range(VOCAB_SIZE - len(tokens))]
    types += [gguf.TokenType.NORMAL] * (VOCAB_SIZE - len(types))
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * VOCAB_SIZE)
    writer.add_token_types(types)
    writer.add_token_merges(["a b"])
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)
