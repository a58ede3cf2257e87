"""Whatever a user calls a model on disk opens, with everything that belongs to it, or says why not."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_gguf import write_gguf, write_mmproj
from tiny_models import build, save_tiny

from gemma4.config import DrafterConfig, ModelConfig
from gemma4.errors import CheckpointError, ConfigError, ModelNotFoundError
from gemma4.model.drafter import build_drafter
from gemma4.model.gemma4 import build_model
from gemma4.weights.checkpoint import CheckpointFormat
from gemma4.weights.huggingface.names import module_path
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint

MODEL = "model-F32.gguf"
PROJECTOR = "mmproj-F32.gguf"
W4A16 = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "quantization_status": "compressed",
    "ignore": ["lm_head"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {
                "num_bits": 4,
                "type": "int",
                "symmetric": True,
                "strategy": "group",
                "group_size": 32,
            },
        }
    },
}


def values_of(checkpoint, dtype=torch.float32):
    """Every tensor that loading a checkpoint gives the model, per-layer tables included."""
    config = checkpoint.config
    is_drafter = isinstance(config, DrafterConfig)
    model = build_drafter(config) if is_drafter else build_model(config)
    report = load_weights(model, checkpoint, dtype=dtype)
    state = dict(model.state_dict())
    for name in report.mapped_tables:
        table = model.get_submodule(name.removesuffix(".weight"))
        state[name] = table(torch.arange(table.table.shape[0]), dtype)
    return state, report


def reference_of(kind, config):
    """The same from transformers."""
    offset = config.text.norm_weight_offset
    return {
        module_path(name, config): values + (offset if name.endswith("norm.weight") else 0.0)
        for name, values in build(kind).state_dict().items()
        if name != "lm_head.weight"
    }


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A directory with the text model and the projector of each kind."""

    def write(kind: str) -> Path:
        directory = tmp_path_factory.mktemp(kind)
        write_gguf(kind, directory / MODEL)
        if kind in ("e_series", "moe", "dense31", "unified"):
            write_mmproj(kind, directory / PROJECTOR)
        return directory

    kinds = ("e_series", "moe", "dense31", "unified", "gemma3_text", "drafter_dense")
    return {kind: write(kind) for kind in kinds}


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_a_gguf_model_and_its_projector_load_with_every_value_of_transformers(files, kind):
    checkpoint = open_checkpoint(files[kind])
    assert checkpoint.format is CheckpointFormat.GGUF
    assert checkpoint.path == files[kind] / MODEL
    state, report = values_of(checkpoint)
    reference = reference_of(kind, checkpoint.config)
    assert state.keys() == reference.keys()
    for name, values in state.items():
        if name.endswith("per_dim_scale"):
            # float32; softplus and its inverse round once each.
            torch.testing.assert_close(values, reference[name], rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(values, reference[name]), name  # float32, exact
    assert report.num_tensors == len(state)


@pytest.mark.parametrize("kind", ["e_series", "moe", "dense31", "unified", "gemma3_text"])
def test_gguf_and_hugging_face_give_the_same_configuration(files, kind, tmp_path):
    hugging_face = open_checkpoint(save_tiny(kind, tmp_path)).config
    found = open_checkpoint(files[kind]).config
    media = hugging_face.media_tokens  # tiny files have no token list that would tell them
    ends = {name: getattr(hugging_face, name) for name in ("eos_ids", "bos_id", "pad_id")}
    text = found.text
    if kind == "gemma3_text":  # its tiny config has a scale that llama.cpp has no key for
        text = replace(text, attention_scale=hugging_face.text.attention_scale)
    found = replace(
        found, text=text, media_tokens=media, stored_dtype=hugging_face.stored_dtype, **ends
    )
    assert found == hugging_face


def test_a_quantized_file_expands_and_says_so(tmp_path):
    checkpoint = open_checkpoint(write_gguf("dense31", tmp_path / "m.gguf", "Q8_0"))
    state, report = values_of(checkpoint, torch.bfloat16)
    assert report.expanded["Q8_0"] > 30
    assert any(note.startswith("quantized tensors were expanded") for note in report.notes)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    # bfloat16 of 8-bit blocks: half a step of 1/127 of the block's largest value, and bf16's 2⁻⁸.
    torch.testing.assert_close(
        state[name].float(), build("dense31").state_dict()[name], rtol=2e-2, atol=3e-3
    )


def test_a_drafter_opens_and_leaves_a_projector_alone(tmp_path):
    write_gguf("drafter_dense", tmp_path / MODEL)
    write_mmproj("dense31", tmp_path / PROJECTOR)
    checkpoint = open_checkpoint(tmp_path)
    assert isinstance(checkpoint.config, DrafterConfig)
    assert checkpoint.notes == (f"projector {PROJECTOR} left out: this model takes no media",)
    state, _ = values_of(checkpoint)
    for name, values in build("drafter_dense").state_dict().items():
        if name != "lm_head.weight":
            assert torch.equal(state[name], values), name  # float32, exact


def test_a_drafter_with_an_ordered_head_keeps_it(tmp_path):
    state = build("drafter_ordered").state_dict()
    extra = {
        "masked_embd_centroids.weight": state["masked_embedding.centroids.weight"],
        "masked_embd_ordering": state["masked_embedding.token_ordering"].int(),
    }
    checkpoint = open_checkpoint(write_gguf("drafter_ordered", tmp_path / MODEL, extra=extra))
    assert (checkpoint.config.num_centroids, checkpoint.config.top_centroids) == (32, 32)
    found, _ = values_of(checkpoint)
    name = "masked_embedding.token_ordering"
    assert found[name].dtype is torch.int64
    assert torch.equal(found[name], state[name])


def test_without_its_projector_the_model_has_text_only(files):
    checkpoint = open_checkpoint(files["e_series"] / MODEL, text_only=True)
    assert isinstance(checkpoint.config, ModelConfig)
    assert checkpoint.config.modalities == ("text",)
    assert checkpoint.notes == ()
    state, _ = values_of(checkpoint)
    assert all(name.startswith("model.language_model.") for name in state)


def test_a_projector_may_lie_elsewhere(files, tmp_path):
    write_gguf("e_series", tmp_path / MODEL)
    checkpoint = open_checkpoint(tmp_path / MODEL, projector=files["e_series"] / PROJECTOR)
    assert checkpoint.config.modalities == ("text", "image", "video", "audio")


def test_a_projector_of_another_model_is_told_by_its_shapes(files, tmp_path):
    write_gguf("gemma3_text", tmp_path / MODEL)
    with pytest.raises(CheckpointError, match="takes no media; leave out the projector"):
        open_checkpoint(tmp_path / MODEL, projector=files["moe"] / PROJECTOR)
    with pytest.raises(ConfigError, match="a projector \\(mmproj\\) has 'clip'"):
        open_checkpoint(files["moe"] / MODEL, projector=files["moe"] / MODEL)


def test_several_projectors_are_named(tmp_path):
    write_gguf("moe", tmp_path / MODEL)
    for name in ("mmproj-BF16.gguf", "mmproj-F16.gguf"):
        write_mmproj("moe", tmp_path / name)
    with pytest.raises(CheckpointError, match=r"2 projectors .* mmproj-BF16\.gguf, mmproj-F16\.g"):
        open_checkpoint(tmp_path)
    assert open_checkpoint(tmp_path / MODEL, text_only=True).config.vision is None


def test_several_models_are_named(tmp_path):
    for name in ("a-Q4_0.gguf", "b-Q8_0.gguf"):
        write_gguf("gemma3_text", tmp_path / name)
    with pytest.raises(CheckpointError, match=r"2 \.gguf models: a-Q4_0\.gguf, b-Q8_0\.gguf; give"):
        open_checkpoint(tmp_path)
    assert open_checkpoint(tmp_path / "a-Q4_0.gguf").config.family == "gemma3"


def test_a_projector_alone_is_no_model(tmp_path):
    path = write_mmproj("moe", tmp_path / PROJECTOR)
    with pytest.raises(CheckpointError, match=r"has only mmproj-F32\.gguf, which sees and hears"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match=r"is a projector \(mmproj\).*give the model's"):
        open_checkpoint(path)


def test_dead_and_tied_tensors_in_a_gguf_are_left_out(tmp_path):
    extra = {
        "blk.7.attn_k.weight": torch.zeros(16, 64),
        "output.weight": build("e_series").state_dict()["lm_head.weight"],
    }
    checkpoint = open_checkpoint(write_gguf("e_series", tmp_path / MODEL, extra=extra))
    _, report = values_of(checkpoint)
    assert report.dead == ("model.language_model.layers.7.self_attn.k_proj.weight",)
    assert report.tied == ("lm_head.weight",)


def test_an_unknown_gguf_tensor_is_named_as_the_file_names_it(tmp_path):
    extra = {"blk.0.attn_sinks.weight": torch.zeros(4)}
    checkpoint = open_checkpoint(write_gguf("dense31", tmp_path / MODEL, extra=extra))
    with pytest.raises(CheckpointError, match=r"1 unexpected: blk\.0\.attn_sinks\.weight \[4\]"):
        values_of(checkpoint)


def test_a_directory_tells_where_its_other_files_are(tmp_path):
    save_tiny("dense31", tmp_path)
    bare = open_checkpoint(str(tmp_path))
    assert bare.format is CheckpointFormat.HUGGING_FACE
    assert (bare.tokenizer, bare.chat_template) == (None, None)
    (tmp_path / "tokenizer.json").write_text("{}")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": "{{ x }}"}))
    (tmp_path / "generation_config.json").write_text("{}")
    found = open_checkpoint(tmp_path)
    assert found.tokenizer == tmp_path / "tokenizer.json"
    assert found.chat_template == tmp_path / "tokenizer_config.json"
    assert found.generation_config == tmp_path / "generation_config.json"
    (tmp_path / "chat_template.jinja").write_text("{{ x }}")
    assert open_checkpoint(tmp_path).chat_template == tmp_path / "chat_template.jinja"


def test_a_single_weight_file_opens_with_the_configuration_beside_it(tmp_path):
    save_tiny("dense31", tmp_path)
    checkpoint = open_checkpoint(tmp_path / "model.safetensors")
    assert len(values_of(checkpoint)[0]) == len(checkpoint.source.tensors)


def test_gguf_files_beside_a_checkpoint_are_passed_over_and_told(tmp_path):
    save_tiny("dense31", tmp_path)
    write_gguf("dense31", tmp_path / MODEL)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.format is CheckpointFormat.HUGGING_FACE
    assert checkpoint.notes == (f"the safetensors are used, not {MODEL} beside them",)


def test_text_only_checkpoints_of_gemma4_have_their_decoder_at_model(tmp_path):
    """What Gemma4ForCausalLM saves: model_type gemma4_text, tensors at `model.`."""
    from transformers import Gemma4ForCausalLM

    config = build("dense31").config.text_config
    model = Gemma4ForCausalLM._from_config(config, attn_implementation="eager")
    model.save_pretrained(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config.modalities == ("text",)
    state, _ = values_of(checkpoint)
    name = "layers.5.mlp.up_proj.weight"
    expected = model.state_dict()[f"model.{name}"]
    assert torch.equal(state[f"model.language_model.{name}"], expected)  # float32, exact


def test_a_w4a16_checkpoint_expands_its_packed_weights_and_says_so(tmp_path):
    save_tiny("dense31", tmp_path)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    generator = torch.Generator().manual_seed(4)
    quantized = torch.randint(-8, 8, (96, 64), generator=generator)
    scale = torch.rand(96, 2, generator=generator)
    words = ((quantized + 8).view(96, 8, 8) << torch.arange(8) * 4).sum(-1)
    tensors = load_file(tmp_path / "model.safetensors")
    del tensors[name]
    tensors[f"{name}_packed"] = torch.where(words >= 2**31, words - 2**32, words).int()
    tensors[f"{name}_scale"] = scale
    tensors[f"{name}_shape"] = torch.tensor([96, 64])
    save_file(tensors, tmp_path / "model.safetensors")
    config = json.loads((tmp_path / "config.json").read_text())
    config["quantization_config"] = W4A16
    (tmp_path / "config.json").write_text(json.dumps(config))
    state, report = values_of(open_checkpoint(tmp_path))
    expected = quantized * scale.repeat_interleave(32, dim=1)
    assert torch.equal(state[name], expected)  # float32, exact
    assert report.expanded == {"W4A16": 1}
    assert report.notes == ("quantized tensors were expanded to float32: 1 × W4A16",)


def test_a_quantization_that_is_no_object_is_refused(tmp_path):
    save_tiny("dense31", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | {"quantization_config": "4bit"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ConfigError, match="quantization_config='4bit', expected an object"):
        open_checkpoint(tmp_path)


def test_nothing_there_is_told(tmp_path):
    with pytest.raises(ModelNotFoundError, match="absent does not exist; check the path"):
        open_checkpoint(tmp_path / "absent")
    with pytest.raises(CheckpointError, match="has no weights"):
        open_checkpoint(tmp_path)
    save_tiny("dense31", tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"has no config\.json, which describes the model"):
        open_checkpoint(tmp_path)


def test_a_directory_takes_no_projector(tmp_path):
    save_tiny("dense31", tmp_path)
    with pytest.raises(CheckpointError, match="has its own vision and audio parts; leave out"):
        open_checkpoint(tmp_path, projector=tmp_path / PROJECTOR)
