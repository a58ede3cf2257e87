"""What is saved, transformers loads: no key missing, none unexpected, every value the same."""

import json
import os
from copy import deepcopy

import pytest
import torch
from safetensors import safe_open
from tiny_models import KINDS, build, save_tiny
from tiny_models import _repaired_kv_sharing as repaired_kv_sharing

from gemma4.config import DrafterConfig
from gemma4.errors import ConfigError, EnvironmentFault, InputError
from gemma4.model.drafter import build_drafter
from gemma4.model.gemma4 import build_model
from gemma4.weights import save as save_module
from gemma4.weights.huggingface.checkpoint import open_huggingface_checkpoint
from gemma4.weights.load import load_weights
from gemma4.weights.save import save_checkpoint


def load(directory, dtype=torch.float32):
    """Our model of a directory, and its config.json."""
    checkpoint = open_huggingface_checkpoint(directory)
    config = checkpoint.config
    is_drafter = isinstance(config, DrafterConfig)
    model = build_drafter(config) if is_drafter else build_model(config)
    load_weights(model, checkpoint, dtype=dtype)
    return model, json.loads((directory / "config.json").read_text())


def stored_names(directory):
    """Tensor names of every weight file."""
    names = {}
    for path in directory.glob("*.safetensors"):
        with safe_open(path, "pt") as file:
            assert file.metadata() == {"format": "pt"}
            names.update(dict.fromkeys(file.keys(), path.name))
    return names


@pytest.fixture
def dense(tmp_path):
    return load(save_tiny("dense31", tmp_path / "dense"))


@pytest.mark.parametrize("kind", KINDS)
def test_transformers_loads_it_unchanged(kind, tmp_path):
    model, config_json = load(save_tiny(kind, tmp_path / "from"))
    written = save_checkpoint(model, config_json, tmp_path / "to")
    assert [path.name for path in written] == ["config.json", "model.safetensors"]
    reference = build(kind)
    with repaired_kv_sharing():
        again, info = type(reference).from_pretrained(tmp_path / "to", output_loading_info=True)
    assert not any(info.values()), info
    for name, values in again.state_dict().items():
        expected = reference.state_dict()[name]
        if kind == "gemma3_text" and name.endswith("norm.weight"):
            # w + 1 − 1 in float32: half a unit in the last place of the sum, which is below 4.
            torch.testing.assert_close(values, expected, rtol=0, atol=2.4e-7)
        else:
            assert torch.equal(values, expected), name  # float32, exact


def test_the_tied_head_is_left_out_and_names_are_the_published_ones(tmp_path):
    model, config_json = load(save_tiny("unified", tmp_path / "from"))
    save_checkpoint(model, config_json, tmp_path / "to")
    names = stored_names(tmp_path / "to")
    assert "lm_head.weight" not in names
    assert "model.vision_embedder.patch_dense.weight" in names
    assert "model.embed_vision.embedding_projection.weight" in names


def test_bfloat16_norms_of_gemma3_return_to_the_stored_bits(tmp_path):
    directory = save_tiny("gemma3_text", tmp_path / "from", dtype=torch.bfloat16)
    model, config_json = load(directory, dtype=torch.bfloat16)
    save_checkpoint(model, config_json, tmp_path / "to")
    first, second = (open_file(directory), open_file(tmp_path / "to"))
    assert first.keys() == second.keys()
    for name, values in first.items():
        assert values.dtype == second[name].dtype
        assert torch.equal(values, second[name]), name  # bfloat16, exact


def open_file(directory):
    """Every tensor of a single weight file."""
    with safe_open(directory / "model.safetensors", "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def test_over_the_limit_it_is_sharded_with_an_index_that_names_every_tensor(tmp_path):
    model, config_json = load(save_tiny("moe", tmp_path / "from"))
    limit = 100_000
    save_checkpoint(model, config_json, tmp_path / "to", shard_bytes=limit)
    index = json.loads((tmp_path / "to" / "model.safetensors.index.json").read_text())
    names = stored_names(tmp_path / "to")
    assert index["weight_map"] == dict(sorted(names.items()))
    sizes = {p.name: p.stat().st_size for p in (tmp_path / "to").glob("*.safetensors")}
    assert len(sizes) > 2
    largest = max(t.nbytes for t in model.state_dict().values())
    header = 10_000
    assert max(sizes.values()) <= max(limit, largest) + header
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in model.state_dict().values())
    with repaired_kv_sharing():
        _, info = type(build("moe")).from_pretrained(tmp_path / "to", output_loading_info=True)
    assert not any(info.values()), info


def test_a_full_disk_leaves_nothing_under_the_name(dense, tmp_path, monkeypatch):
    model, config_json = dense

    def fail(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(EnvironmentFault, match="No space left on device; free some space"):
        save_checkpoint(model, config_json, tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["dense"]


def test_an_interrupt_between_files_leaves_nothing_under_the_name(dense, tmp_path, monkeypatch):
    model, config_json = dense

    def interrupt(*_args):
        raise KeyboardInterrupt

    monkeypatch.setattr(save_module, "_write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(model, config_json, tmp_path / "to")
    assert [path.name for path in tmp_path.iterdir()] == ["dense"]


def test_files_that_are_there_are_not_overwritten(dense, tmp_path):
    model, config_json = dense
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="to exists and is not an empty directory; choose another"):
        save_checkpoint(model, config_json, tmp_path / "to")
    assert (tmp_path / "to" / "notes.txt").read_text() == "mine"


def test_an_empty_directory_may_be_filled(dense, tmp_path):
    model, config_json = dense
    (tmp_path / "to").mkdir()
    save_checkpoint(model, config_json, tmp_path / "to")
    assert (
        open_huggingface_checkpoint(tmp_path / "to").config
        == open_huggingface_checkpoint(tmp_path / "dense").config
    )


def test_a_model_without_values_is_refused(dense, tmp_path):
    _, config_json = dense
    config = open_huggingface_checkpoint(tmp_path / "dense").config
    with pytest.raises(InputError, match=r"no values for .*embed_tokens.weight; load its weights"):
        save_checkpoint(build_model(config), config_json, tmp_path / "to")


def test_a_configuration_that_would_misread_the_weights_is_refused(dense, tmp_path):
    model, config_json = dense
    with pytest.raises(InputError, match="has a quantization_config, but"):
        save_checkpoint(model, config_json | {"quantization_config": {}}, tmp_path / "to")
    other = deepcopy(config_json) | {"dtype": "bfloat16"}
    with pytest.raises(InputError, match="dtype='bfloat16', but the weights are float32"):
        save_checkpoint(model, other, tmp_path / "to")
    with pytest.raises(ConfigError, match="model_type"):
        save_checkpoint(model, config_json | {"model_type": "llama"}, tmp_path / "to")
    with pytest.raises(InputError, match="shard_bytes=0"):
        save_checkpoint(model, config_json, tmp_path / "to", shard_bytes=0)
