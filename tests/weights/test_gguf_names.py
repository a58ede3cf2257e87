"""GGUF names are llama.cpp's: checked against the gguf package's own mapping where it knows them."""

import gguf
import pytest
import torch
from stored_tensors import TensorInMemory, random_tensors, source_of
from tiny_gguf import media_tensors, text_tensors
from tiny_models import build, save_tiny

from gemma4.config import DrafterConfig, LayerKind, MoeConfig, RopeConfig, TextConfig
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import CheckpointError
from gemma4.tensors.table import dead_tensor_names, tensor_table
from gemma4.weights.gguf.names import (
    check_rope_freqs,
    model_source,
    rope_freq_factors,
    to_gguf_tensors,
)
from gemma4.weights.huggingface.names import module_path
from gemma4.weights.open_checkpoint import open_checkpoint

ARCHITECTURES = {
    "e2b": gguf.MODEL_ARCH.GEMMA4,
    "26b-a4b": gguf.MODEL_ARCH.GEMMA4,
    "31b": gguf.MODEL_ARCH.GEMMA4,
    "gemma3:270m": gguf.MODEL_ARCH.GEMMA3,
}
SUFFIXES = (".weight", ".bias", ".input_min", ".input_max", ".output_min", ".output_max")

# What llama.cpp's converter names itself, beside its mapping (conversion/gemma.py, Gemma4Model).
BY_HAND = {
    "router.scale": "blk.{}.ffn_gate_inp.scale",
    "router.per_expert_scale": "blk.{}.ffn_down_exps.scale",
}


def tiny_text(**changes):
    shape = {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 32,
        "layer_kinds": (LayerKind.SLIDING, LayerKind.FULL) * 2,
        "num_heads": 2,
        "num_kv_heads": 2,
        "num_full_kv_heads": 1,
        "head_dim": 16,
        "full_head_dim": 32,
        "sliding_window": 8,
        "max_positions": 64,
        "rope_sliding": RopeConfig(theta=1e4),
        "rope_full": RopeConfig(theta=1e6, rotary_fraction=0.25),
    }
    return TextConfig(**{**shape, **changes})


TINY_DRAFTER = DrafterConfig(
    family="gemma4_assistant",
    text=tiny_text(num_kv_shared_layers=4),
    backbone_hidden_size=48,
    num_centroids=8,
    top_centroids=2,
)


def mapped_name(name, names):
    """Name that llama.cpp's converter gives a text tensor."""
    plain = name.replace("model.language_model.", "model.")
    if plain.endswith(("layer_scalar", "experts.gate_up_proj", "experts.down_proj")):
        plain += ".weight"
    for ending, pattern in BY_HAND.items():
        if plain.endswith(ending):
            return pattern.format(plain.split(".")[2])
    return names.get_name(plain, try_suffixes=(".weight", ".bias"))


@pytest.mark.parametrize("size", ARCHITECTURES)
def test_text_names_are_those_of_the_gguf_package(size):
    config = PUBLISHED_MODELS[size]
    names = gguf.get_tensor_name_map(ARCHITECTURES[size], config.text.num_layers)
    checked = 0
    for entry in tensor_table(config):
        if entry.name.startswith("model.language_model."):
            expected = mapped_name(entry.name, names)
            assert entry.gguf_name == expected, entry.name
            checked += 1
    assert checked >= 230


@pytest.mark.parametrize("size", ["e2b", "26b-a4b"])
def test_tower_names_are_those_of_the_gguf_package(size):
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.MMPROJ, 64)
    for entry in tensor_table(PUBLISHED_MODELS[size]):
        if entry.name.startswith("model.language_model."):
            continue
        # The renamings of conversion/gemma.py, Gemma4VisionAudioModel.modify_tensors.
        plain = entry.name.replace("model.audio_tower.", "conformer.")
        plain = plain.replace("model.vision_tower.encoder.", "vision_model.model.")
        plain = plain.replace(".linear.", ".")
        if plain.endswith(("per_dim_scale", "position_embedding_table")):
            plain += ".weight"
        assert entry.gguf_name == names.get_name(plain, try_suffixes=SUFFIXES), entry.name


def test_names_the_package_does_not_know_are_those_of_llama_cpp():
    """gemma4uv, gemma4ua and gemma4-assistant came after the package's last release."""
    names = {entry.name: entry.gguf_name for entry in tensor_table(PUBLISHED_MODELS["12b"])}
    embedder = "model.vision_embedder."
    assert names[f"{embedder}patch_dense.weight"] == "v.patch_embd.weight"
    assert names[f"{embedder}patch_dense.bias"] == "v.patch_embd.bias"
    assert names[f"{embedder}patch_ln1.weight"] == "v.patch_norm.1.weight"
    assert names[f"{embedder}patch_ln2.bias"] == "v.patch_norm.2.bias"
    assert names[f"{embedder}pos_norm.weight"] == "v.patch_norm.3.weight"
    assert names[f"{embedder}pos_embedding"] == "v.position_embd.weight"
    assert names["model.embed_audio.embedding_projection.weight"] == "mm.a.input_projection.weight"
    drafter = {entry.name: entry.gguf_name for entry in tensor_table(PUBLISHED_DRAFTERS["e2b"])}
    assert drafter["pre_projection.weight"] == "nextn.pre_projection.weight"
    assert drafter["post_projection.weight"] == "nextn.post_projection.weight"
    assert drafter["masked_embedding.centroids.weight"] == "masked_embd_centroids.weight"
    assert drafter["masked_embedding.token_ordering"] == "masked_embd_ordering"
    assert drafter["model.layers.3.self_attn.q_proj.weight"] == "blk.3.attn_q.weight"


def test_a_drafter_goes_to_gguf_and_back():
    values = random_tensors(TINY_DRAFTER)
    entries = tensor_table(TINY_DRAFTER)
    stored = {name: tensor for _, name, tensor in to_gguf_tensors(entries, values)}
    source = model_source(source_of(stored), TINY_DRAFTER)
    assert source.tensors.keys() == values.keys()
    for name, tensor in source.tensors.items():
        assert torch.equal(tensor.read(), values[name]), name  # float32 and int64, exact


@pytest.mark.parametrize("kind", ["e_series", "moe", "unified", "gemma3_text"])
def test_what_we_would_export_is_what_llama_cpps_converter_writes(kind, tmp_path):
    config = open_checkpoint(save_tiny(kind, tmp_path)).config
    offset = config.text.norm_weight_offset
    values = {
        module_path(name, config): tensor + (offset if name.endswith("norm.weight") else 0.0)
        for name, tensor in build(kind).state_dict().items()
    }
    exported = {name: tensor for _, name, tensor in to_gguf_tensors(tensor_table(config), values)}
    expected = text_tensors(kind) | ({} if kind == "gemma3_text" else media_tensors(kind))
    assert exported.keys() == expected.keys()
    for name, tensor in exported.items():
        # float32, exact; but for softplus, which rounds differently when taken in float64.
        tolerance = 1e-6 if "per_dim_scale" in name else 0.0
        torch.testing.assert_close(tensor, expected[name], rtol=tolerance, atol=tolerance)


def test_norms_of_gemma3_are_stored_as_the_model_has_them():
    entries = tensor_table(PUBLISHED_MODELS["gemma3:270m"])
    norm = next(entry for entry in entries if entry.name.endswith("language_model.norm.weight"))
    values = torch.rand(norm.shape)
    ((_, name, stored),) = to_gguf_tensors((norm,), {norm.name: values})
    assert name == "output_norm.weight"
    assert torch.equal(stored, values)  # float32, exact


def test_dead_and_tied_tensors_get_module_paths_and_unknown_ones_keep_their_names():
    config = PUBLISHED_MODELS["e2b"]
    names = ("blk.15.attn_k.weight", "output.weight", "blk.0.attn_sinks.weight")
    source = model_source(source_of({name: torch.zeros(1) for name in names}), config)
    assert set(source.tensors) == {
        "model.language_model.layers.15.self_attn.k_proj.weight",
        "lm_head.weight",
        "blk.0.attn_sinks.weight",
    }
    assert (
        dict(dead_tensor_names(config))["model.language_model.layers.15.self_attn.k_proj.weight"]
        == "blk.15.attn_k.weight"
    )


def test_experts_stored_as_gate_and_up_are_joined_gate_first():
    moe = MoeConfig(num_experts=4, top_k=2, intermediate_size=8)
    config = PUBLISHED_MODELS["26b-a4b"]
    gate, up = torch.randn(4, 8, 32), torch.randn(4, 8, 32)
    parts = {"blk.0.ffn_gate_exps.weight": gate, "blk.0.ffn_up_exps.weight": up}
    source = model_source(source_of(parts), config)
    ((name, joined),) = source.tensors.items()
    assert name == "model.language_model.layers.0.experts.gate_up_proj"
    assert joined.shape == (moe.num_experts, 2 * moe.intermediate_size, 32)
    assert torch.equal(joined.read(), torch.cat((gate, up), dim=1))  # float32, exact


def test_rope_freqs_that_agree_with_the_configuration_are_left_out():
    config = PUBLISHED_MODELS["e2b"]
    factors = rope_freq_factors(config.text)
    assert factors == [1.0] * 64 + [1e30] * 192
    source = model_source(source_of({"rope_freqs.weight": torch.tensor(factors)}), config)
    assert not source.tensors


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ([1.0] * 64, r"rope_freqs\.weight has 64 values, but full layers have 256 pairs"),
        ([1.0] * 65 + [1e30] * 191, r"has 1 for pair 64, but the configuration says 1e\+30"),
        ([2.0] * 64 + [1e30] * 192, r"has 2 for pair 0, but the configuration says 1; this rotary"),
    ],
)
def test_rope_freqs_that_contradict_the_configuration_are_refused(factors, message):
    stored = TensorInMemory("rope_freqs.weight", torch.tensor(factors))
    with pytest.raises(CheckpointError, match=message):
        check_rope_freqs(stored, PUBLISHED_MODELS["e2b"].text)
