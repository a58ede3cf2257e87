"""GGUF files of the tiny models, with the names, layouts and keys that llama.cpp's converter gives them.

Names come from the gguf package; what it does not know (12B, drafters) is written out. None of it uses
the project's own tables.
"""

from pathlib import Path

import gguf
import numpy as np
import torch
from tiny_models import build
from torch import Tensor

SUFFIXES = (".weight", ".bias", ".input_min", ".input_max", ".output_min", ".output_max")
ARCHITECTURES = {"gemma3_text": "gemma3", "drafter_ordered": "gemma4-assistant"}
ARCHITECTURES["drafter_dense"] = ARCHITECTURES["drafter_ordered"]
PLAIN = {
    "F32": gguf.GGMLQuantizationType.F32,
    "F16": gguf.GGMLQuantizationType.F16,
    "BF16": gguf.GGMLQuantizationType.BF16,
}
UNIFIED_NAMES = {
    "patch_dense.weight": "v.patch_embd.weight",
    "patch_dense.bias": "v.patch_embd.bias",
    "patch_ln1.weight": "v.patch_norm.1.weight",
    "patch_ln1.bias": "v.patch_norm.1.bias",
    "patch_ln2.weight": "v.patch_norm.2.weight",
    "patch_ln2.bias": "v.patch_norm.2.bias",
    "pos_norm.weight": "v.patch_norm.3.weight",
    "pos_norm.bias": "v.patch_norm.3.bias",
    "pos_embedding": "v.position_embd.weight",
    "embedding_projection.weight": "mm.input_projection.weight",
}


def write_gguf(
    kind: str, path: Path, encoding: str = "F32", extra: dict[str, Tensor] | None = None
) -> Path:
    """Write the text part of a tiny model; matrices in `encoding`, all else in float32.

    Args:
        extra: further tensors, by GGUF name.
    """
    model = build(kind)
    text = model.config if kind == "gemma3_text" else model.config.text_config
    architecture = ARCHITECTURES.get(kind, "gemma4")
    writer = gguf.GGUFWriter(path, architecture)
    _add_text_keys(writer, text, architecture)
    if architecture == "gemma4-assistant":
        writer.add_uint32(f"{architecture}.embedding_length_out", model.config.backbone_hidden_size)
        writer.add_uint32(f"{architecture}.nextn_predict_layers", text.num_hidden_layers)
    for name, values in text_tensors(kind).items():
        _add_tensor(writer, name, values, encoding if values.ndim > 1 else "F32")
    if architecture != "gemma3":
        last = text.per_layer_config[text.num_hidden_layers - 1]  # always full attention
        half = last.head_dim // 2
        factors = torch.full((half,), 1e30)
        factors[: half // 4] = 1.0
        _add_tensor(writer, "rope_freqs.weight", factors, "F32")
    for name, values in (extra or {}).items():
        _add_tensor(writer, name, values, "F32")
    return _finish(writer, path)


def write_mmproj(kind: str, path: Path, encoding: str = "F32", *, says_gelu: bool = False) -> Path:
    """Write the projector of a tiny model.

    Args:
        says_gelu: name the vision tower's activation, which llama.cpp's converter does not do.
    """
    config = build(kind).config
    writer = gguf.GGUFWriter(path, "clip")
    unified = kind == "unified"
    seen, heard = config.vision_config, config.audio_config
    writer.add_bool("clip.has_vision_encoder", True)
    if says_gelu:
        writer.add_bool("clip.use_gelu", True)
    writer.add_string("clip.vision.projector_type", "gemma4uv" if unified else "gemma4v")
    _add_tower_keys(
        writer,
        "vision",
        output=config.text_config.hidden_size,
        width=seen.mm_embed_dim if unified else seen.hidden_size,
        ffn=0 if unified else seen.intermediate_size,
        layers=0 if unified else seen.num_hidden_layers,
        heads=0 if unified else seen.num_attention_heads,
    )
    writer.add_uint32("clip.vision.patch_size", seen.patch_size)
    writer.add_uint32("clip.vision.image_size", 224)
    for key, value in (("mean", 0.0), ("std", 1.0)):  # llama.cpp does not start without them
        writer.add_array(f"clip.vision.image_{key}", [value] * 3)
    if heard is not None:
        width = heard.audio_embed_dim if unified else heard.hidden_size
        writer.add_bool("clip.has_audio_encoder", True)
        writer.add_string("clip.audio.projector_type", "gemma4ua" if unified else "gemma4a")
        writer.add_uint32("clip.audio.num_mel_bins", 128)
        _add_tower_keys(
            writer,
            "audio",
            output=config.text_config.hidden_size,
            width=width,
            ffn=0 if unified else 4 * width,
            layers=0 if unified else heard.num_hidden_layers,
            heads=0 if unified else heard.num_attention_heads,
        )
    for name, values in media_tensors(kind).items():
        plain = values.ndim < 2 or ".conv" in name or "position_embd" in name
        _add_tensor(writer, name, values, "F32" if plain else encoding)
    return _finish(writer, path)


def text_tensors(kind: str) -> dict[str, Tensor]:
    """The decoder's tensors by GGUF name."""
    architecture = {
        "gemma3_text": gguf.MODEL_ARCH.GEMMA3,
    }.get(kind, gguf.MODEL_ARCH.GEMMA4)
    names = gguf.get_tensor_name_map(architecture, 64)
    found = {}
    for name, values in build(kind).state_dict().items():
        plain = name.replace("model.language_model.", "model.")
        if not plain.startswith(
            ("model.layers.", "model.embed_tokens", "model.norm.", "model.per")
        ):
            if plain.startswith(("pre_projection", "post_projection")):
                found[f"nextn.{plain}"] = values
            continue  # towers; the tied head; the ordered head, which the converter drops
        if plain.endswith("router.scale"):
            found[f"blk.{plain.split('.')[2]}.ffn_gate_inp.scale"] = values
            continue
        if plain.endswith("per_expert_scale"):
            found[f"blk.{plain.split('.')[2]}.ffn_down_exps.scale"] = values
            continue
        if plain.endswith(("layer_scalar", "experts.gate_up_proj", "experts.down_proj")):
            plain += ".weight"
        shift = 1.0 if kind == "gemma3_text" and plain.endswith("norm.weight") else 0.0
        found[names.get_name(plain, try_suffixes=SUFFIXES)] = values + shift
    return found


def media_tensors(kind: str) -> dict[str, Tensor]:
    """The tensors of towers or embedders by GGUF name; a 0-d one has the shape [1]."""
    found = _unified_tensors(kind) if kind == "unified" else _tower_tensors(kind)
    return {name: values.reshape(values.shape or (1,)) for name, values in found.items()}


def _tower_tensors(kind: str) -> dict[str, Tensor]:
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, 64)
    found = {}
    for name, values in build(kind).state_dict().items():
        if "language_model" in name or name.startswith("lm_head"):
            continue
        plain = name.replace("model.audio_tower.", "conformer.")
        plain = plain.replace("model.vision_tower.encoder.", "vision_model.model.")
        plain = plain.replace(".linear.", ".")
        if plain.endswith("per_dim_scale"):
            values = torch.log1p(values.double().exp()).float()
        elif plain.endswith("depthwise_conv1d.weight"):
            values = values[:, 0]
        elif plain.endswith("patch_embedder.input_proj.weight"):
            values = torch.einsum("dhwc->dchw", values.view(-1, 16, 16, 3))
        if plain.endswith(("per_dim_scale", "position_embedding_table")):
            plain += ".weight"
        found[names.get_name(plain, try_suffixes=SUFFIXES)] = values
    return found


def _unified_tensors(kind: str) -> dict[str, Tensor]:
    found = {}
    columns = torch.arange(48 * 48 * 3).view(48, 48, 3).permute(2, 0, 1).flatten()
    for name, values in build(kind).state_dict().items():
        if name == "model.embed_audio.embedding_projection.weight":
            found["mm.a.input_projection.weight"] = values
        if not name.startswith("model.embed_vision."):
            continue
        plain = name.removeprefix("model.embed_vision.").removeprefix("multimodal_embedder.")
        if plain.startswith("patch_ln1") or plain == "patch_dense.weight":
            values = values[..., columns]
        elif plain == "pos_embedding":
            values = values.permute(1, 0, 2)
        found[UNIFIED_NAMES[plain]] = values
    return found


def _add_text_keys(writer: gguf.GGUFWriter, text, architecture: str) -> None:
    writer.add_uint32(f"{architecture}.vocab_size", text.vocab_size)
    writer.add_block_count(text.num_hidden_layers)
    writer.add_context_length(text.max_position_embeddings)
    writer.add_embedding_length(text.hidden_size)
    writer.add_head_count(text.num_attention_heads)
    writer.add_layer_norm_rms_eps(text.rms_norm_eps)
    writer.add_sliding_window(text.sliding_window)
    writer.add_rope_freq_base(1e6)
    if architecture == "gemma3":
        writer.add_feed_forward_length(text.intermediate_size)
        writer.add_head_count_kv(text.num_key_value_heads)
        writer.add_key_length(text.head_dim)
        writer.add_value_length(text.head_dim)
        return
    sliding = [kind == "sliding_attention" for kind in text.layer_types]
    layers = [text.per_layer_config[index] for index in range(text.num_hidden_layers)]
    first_shared = text.num_hidden_layers - text.num_kv_shared_layers
    wide = 2 if getattr(text, "use_double_wide_mlp", False) else 1
    writer.add_feed_forward_length(
        [
            text.intermediate_size * (wide if index >= first_shared else 1)
            for index in range(text.num_hidden_layers)
        ]
    )
    writer.add_head_count_kv([layer.num_key_value_heads for layer in layers])
    writer.add_sliding_window_pattern(sliding)
    writer.add_shared_kv_layers(text.num_kv_shared_layers)
    writer.add_embedding_length_per_layer_input(
        getattr(text, "hidden_size_per_layer_input", 0) or 0
    )
    full, window = layers[sliding.index(False)].head_dim, layers[0].head_dim
    for head, suffix in ((full, ""), (window, "_swa")):
        for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
            writer.add_uint32(f"{architecture}.{key}{suffix}", head)
    writer.add_float32(f"{architecture}.rope.freq_base_swa", 1e4)
    if text.final_logit_softcapping:
        writer.add_final_logit_softcapping(text.final_logit_softcapping)
    if getattr(text, "enable_moe_block", False):
        writer.add_expert_count(text.num_experts)
        writer.add_expert_used_count(text.top_k_experts)
        writer.add_expert_feed_forward_length(text.moe_intermediate_size)


def _add_tower_keys(
    writer: gguf.GGUFWriter,
    part: str,
    *,
    output: int,
    width: int,
    ffn: int,
    layers: int,
    heads: int,
) -> None:
    writer.add_uint32(f"clip.{part}.projection_dim", output)
    writer.add_uint32(f"clip.{part}.embedding_length", width)
    writer.add_uint32(f"clip.{part}.feed_forward_length", ffn)
    writer.add_uint32(f"clip.{part}.block_count", layers)
    writer.add_uint32(f"clip.{part}.attention.head_count", heads)
    writer.add_float32(f"clip.{part}.attention.layer_norm_epsilon", 1e-6)


def _add_tensor(writer: gguf.GGUFWriter, name: str, values: Tensor, encoding: str) -> None:
    array = values.detach().reshape(values.shape or (1,)).contiguous().numpy()
    if array.dtype.kind != "f" or encoding == "F32":
        writer.add_tensor(name, array)
        return
    kind = PLAIN.get(encoding) or gguf.GGMLQuantizationType[encoding]
    block = gguf.GGML_QUANT_SIZES[kind][0]
    if array.shape[-1] % block:  # as the converter does where a row is no whole number of blocks
        kind = gguf.GGMLQuantizationType.F16
    packed = gguf.quants.quantize(np.ascontiguousarray(array), kind)
    writer.add_tensor(name, packed, raw_dtype=kind)


def _finish(writer: gguf.GGUFWriter, path: Path) -> Path:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
