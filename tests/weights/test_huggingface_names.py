"""Every spelling of tensor names in Hugging Face checkpoints comes to the same module paths."""

import json

import pytest
import torch
from stored_tensors import source_of
from tiny_models import build
from transformers import Gemma4ForCausalLM

from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import CheckpointError
from gemma4.model.gemma4 import build_model
from gemma4.weights.huggingface.names import checkpoint_name, model_source, module_path
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.save import save_checkpoint

E2B, B12, B26 = (PUBLISHED_MODELS[name] for name in ("e2b", "12b", "26b-a4b"))
GEMMA3 = PUBLISHED_MODELS["gemma3:270m"]


@pytest.mark.parametrize(
    "name",
    [
        "layers.3.mlp.up_proj.weight",
        "embed_tokens.weight",
        "embed_tokens_per_layer.weight",
        "per_layer_projection_norm.weight",
        "norm.weight",
    ],
)
@pytest.mark.parametrize("config", [E2B, GEMMA3], ids=["e2b", "gemma3"])
def test_a_decoder_at_model_comes_to_its_module_path(config, name):
    assert module_path(f"model.{name}", config) == f"model.language_model.{name}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("embed_vision.patch_ln1.bias", "vision_embedder.patch_ln1.bias"),
        ("embed_vision.pos_embedding", "vision_embedder.pos_embedding"),
        (
            "embed_vision.multimodal_embedder.embedding_projection.weight",
            "embed_vision.embedding_projection.weight",
        ),
    ],
)
def test_the_names_transformers_has_in_memory_for_the_12b_come_to_the_published_ones(name, path):
    assert module_path(f"model.{name}", B12) == f"model.{path}"


def test_published_names_and_unknown_ones_stay():
    for name in (
        "model.language_model.norm.weight",
        "model.vision_tower.std_bias",
        "lm_head.weight",
    ):
        assert module_path(name, E2B) == name
    assert (
        module_path("model.embed_vision.patch_ln1.bias", E2B) == "model.embed_vision.patch_ln1.bias"
    )
    drafter = PUBLISHED_DRAFTERS["e2b"]
    assert module_path("model.layers.0.layer_scalar", drafter) == "model.layers.0.layer_scalar"


def test_names_for_saving_follow_the_model_type():
    path = "model.language_model.norm.weight"
    assert checkpoint_name(path, "gemma4") == path
    assert checkpoint_name(path, "gemma3_text") == "model.norm.weight"
    assert checkpoint_name(path, "gemma4_text") == "model.norm.weight"


def test_a_tensor_under_two_spellings_is_refused():
    names = ("model.norm.weight", "model.language_model.norm.weight")
    with pytest.raises(CheckpointError, match=r"twice, as model\.norm\.weight and model\.language"):
        model_source(source_of({name: torch.zeros(2) for name in names}), E2B)


def experts(count, *, without=()):
    """Experts stored one by one, as quantizers do."""
    generator = torch.Generator().manual_seed(1)
    shapes = {"gate": (6, 10), "up": (6, 10), "down": (10, 6)}
    return {
        f"model.language_model.layers.0.experts.{index}.{name}_proj.weight": torch.randn(
            shape, generator=generator
        )
        for index in range(count)
        for name, shape in shapes.items()
        if (index, name) not in without
    }


def test_experts_stored_one_by_one_are_joined():
    parts = experts(3)
    tensors = model_source(source_of(parts), B26).tensors
    layer = "model.language_model.layers.0.experts."
    assert set(tensors) == {f"{layer}gate_up_proj", f"{layer}down_proj"}
    gate_up, down = tensors[f"{layer}gate_up_proj"], tensors[f"{layer}down_proj"]
    assert (gate_up.shape, down.shape) == ((3, 12, 10), (3, 10, 6))
    for index in range(3):
        halves = (parts[f"{layer}{index}.{name}_proj.weight"] for name in ("gate", "up"))
        assert torch.equal(gate_up.read()[index], torch.cat(tuple(halves)))  # float32, exact
        expected = parts[f"{layer}{index}.down_proj.weight"]
        assert torch.equal(down.rows(torch.tensor([index]))[0], expected)  # float32, exact
    assert (gate_up.encoding, gate_up.nbytes) == ("F32", 3 * 12 * 10 * 4)


@pytest.mark.parametrize("without", [[(1, "up")], [(1, "gate"), (1, "up")], [(1, "down")]])
def test_an_expert_that_is_missing_is_told(without):
    with pytest.raises(CheckpointError, match="some are missing; the checkpoint is incomplete"):
        model_source(source_of(experts(3, without=without)), B26)


def test_an_expert_of_another_shape_is_told():
    parts = experts(2)
    name = "model.language_model.layers.0.experts.1.up_proj.weight"
    parts[name] = torch.zeros(5, 10)
    tensors = model_source(source_of(parts), B26).tensors
    with pytest.raises(
        CheckpointError, match=r"experts\.1\.up_proj\.weight has the shape \[5, 10\]"
    ):
        tensors["model.language_model.layers.0.experts.gate_up_proj"].read()


def test_a_text_only_checkpoint_is_saved_as_the_text_only_class_wants_it(tmp_path):
    config = build("moe").config.text_config
    reference = Gemma4ForCausalLM._from_config(config, attn_implementation="eager")
    reference.save_pretrained(tmp_path / "from")
    checkpoint = open_checkpoint(tmp_path / "from")
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint)
    config_json = json.loads((tmp_path / "from" / "config.json").read_text())
    save_checkpoint(model, config_json, tmp_path / "to")
    again, info = Gemma4ForCausalLM.from_pretrained(tmp_path / "to", output_loading_info=True)
    assert not any(info.values()), info
    for name, values in again.state_dict().items():
        assert torch.equal(values, reference.state_dict()[name]), name  # float32, exact
