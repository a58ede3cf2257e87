"""Loading is strict, complete, and copies nothing it need not copy."""

from dataclasses import replace

import pytest
import torch
from stored_tensors import StandInModule, TensorInMemory, checkpoint_of, random_tensors, source_of
from tiny_models import KINDS, build, save_tiny

from gemma4.config import DrafterConfig
from gemma4.errors import CheckpointError
from gemma4.model.drafter import build_drafter
from gemma4.model.gemma4 import build_model
from gemma4.quant.embedding import MappedEmbedding
from gemma4.tensors.table import dead_tensor_names, tensor_table
from gemma4.weights.huggingface.checkpoint import open_huggingface_checkpoint
from gemma4.weights.huggingface.names import module_path
from gemma4.weights.load import load_weights

LAYER = "model.language_model.layers.0."
EMBEDDING = "model.language_model.embed_tokens.weight"


def build_any(config):
    return build_drafter(config) if isinstance(config, DrafterConfig) else build_model(config)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Directories of every kind, as transformers writes them."""
    return {kind: save_tiny(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def dense_config(tiny):
    return open_huggingface_checkpoint(tiny["dense31"]).config


@pytest.mark.parametrize("kind", KINDS)
def test_a_tiny_checkpoint_loads_with_every_value_of_transformers(tiny, kind):
    checkpoint = open_huggingface_checkpoint(tiny[kind])
    model = build_any(checkpoint.config)
    report = load_weights(model, checkpoint, dtype=torch.float32)
    state = model.state_dict()
    reference = {
        module_path(name, checkpoint.config): values
        for name, values in build(kind).state_dict().items()
        if name != "lm_head.weight"
    }
    offset = checkpoint.config.text.norm_weight_offset
    for name in reference.keys() - set(report.mapped_tables):
        expected = reference[name] + (offset if name.endswith("norm.weight") else 0.0)
        assert torch.equal(state[name], expected), name  # float32, exact
        assert not state[name].requires_grad
    assert state.keys() | set(report.mapped_tables) == reference.keys()
    assert report.num_tensors == len(tensor_table(checkpoint.config)) == len(reference)


def test_the_per_layer_table_stays_in_the_file_and_gives_its_rows(tiny):
    checkpoint = open_huggingface_checkpoint(tiny["e_series"])
    model = build_model(checkpoint.config)
    report = load_weights(model, checkpoint, dtype=torch.bfloat16)
    name = "model.language_model.embed_tokens_per_layer.weight"
    assert report.mapped_tables == (name,)
    table = model.model.language_model.embed_tokens_per_layer
    assert isinstance(table, MappedEmbedding)
    ids = torch.tensor([3, 0, 511])
    expected = build("e_series").state_dict()[name][ids]
    assert torch.equal(table(ids, torch.float32), expected)  # float32, exact


def test_the_per_layer_table_is_never_read_whole(tiny):
    class NeverWhole(TensorInMemory):
        def read(self, dtype=None):
            raise AssertionError(f"{self.name} was read whole, as {dtype}")

    checkpoint = open_huggingface_checkpoint(tiny["e_series"])
    name = "model.language_model.embed_tokens_per_layer.weight"
    table = NeverWhole(name, build("e_series").state_dict()[name])
    source = replace(checkpoint.source, tensors={**checkpoint.source.tensors, name: table})
    report = load_weights(build_model(checkpoint.config), replace(checkpoint, source=source))
    assert report.mapped_tables == (name,)


def test_the_stored_dtype_stays_in_the_file_and_another_is_converted(tmp_path):
    checkpoint = open_huggingface_checkpoint(save_tiny("dense31", tmp_path, dtype=torch.bfloat16))
    count = len(tensor_table(checkpoint.config))
    same = load_weights(build_model(checkpoint.config), checkpoint, dtype=torch.bfloat16)
    assert (same.num_in_place, same.memory_bytes, same.converted) == (count, 0, {})
    other = load_weights(build_model(checkpoint.config), checkpoint, dtype=torch.float32)
    assert (other.num_in_place, other.converted) == (0, {"BF16": count})
    assert other.memory_bytes == 2 * other.file_bytes == 2 * same.file_bytes


def test_tensors_in_place_are_views_of_the_mapped_file(tiny):
    checkpoint = open_huggingface_checkpoint(tiny["dense31"])
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=torch.float32)
    stored = checkpoint.source.tensors[EMBEDDING].read()
    assert model.decoder.embed_tokens.weight.data_ptr() == stored.data_ptr()


def test_shards_load_like_one_file(tmp_path, tiny):
    sharded = open_huggingface_checkpoint(save_tiny("moe", tmp_path, max_shard_size="100KB"))
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    whole = open_huggingface_checkpoint(tiny["moe"])
    first, second = build_model(whole.config), build_model(sharded.config)
    load_weights(first, whole)
    load_weights(second, sharded)
    for name, values in first.state_dict().items():
        assert torch.equal(values, second.state_dict()[name]), name  # float32, exact


def test_missing_unexpected_and_misshapen_tensors_come_in_one_error(dense_config):
    tensors = random_tensors(dense_config)
    del tensors[f"{LAYER}mlp.up_proj.weight"]
    tensors["model.language_model.layers.0.mlp.extra.weight"] = torch.zeros(2, 3)
    swapped = f"{LAYER}mlp.down_proj.weight"
    tensors[swapped] = tensors[swapped].T
    model = StandInModule(dense_config)
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, checkpoint_of(dense_config, tensors))
    message = str(caught.value)
    assert f"1 missing: {LAYER}mlp.up_proj.weight [96, 64]" in message
    assert "1 unexpected: model.language_model.layers.0.mlp.extra.weight [2, 3]" in message
    assert f"1 of another shape: {swapped} is [96, 64], expected [64, 96]" in message
    assert "\n" not in message
    assert all(parameter.is_meta for parameter in model.parameters())


def test_every_missing_tensor_is_named(dense_config):
    with pytest.raises(CheckpointError) as caught:
        load_weights(StandInModule(dense_config), checkpoint_of(dense_config, {}))
    for entry in tensor_table(dense_config):
        assert entry.name in str(caught.value)


def test_a_stand_in_gets_every_value(dense_config):
    tensors = random_tensors(dense_config)
    model = StandInModule(dense_config)
    load_weights(model, checkpoint_of(dense_config, tensors))
    for name, values in model.state_dict().items():
        assert torch.equal(values, tensors[name]), name  # float32, exact


def test_dead_tensors_of_borrowing_layers_are_left_out_and_named(tiny):
    checkpoint = open_huggingface_checkpoint(tiny["e_series"])
    dead = [name for name, _ in dead_tensor_names(checkpoint.config)]
    extra = {name: TensorInMemory(name, torch.zeros(4, 4)) for name in dead}
    source = replace(checkpoint.source, tensors={**checkpoint.source.tensors, **extra})
    model = build_model(checkpoint.config)
    report = load_weights(model, replace(checkpoint, source=source))
    assert report.dead == tuple(sorted(dead))
    assert len(dead) == 15
    assert report.notes == ("15 tensors of layers that borrow keys and values were left out",)


def test_the_same_names_in_a_layer_that_owns_its_keys_are_unexpected(dense_config):
    tensors = random_tensors(dense_config)
    tensors["model.language_model.layers.5.self_attn.v_proj.weight"] = torch.zeros(64, 64)
    with pytest.raises(CheckpointError, match=r"1 unexpected: .*layers\.5\.self_attn\.v_proj"):
        load_weights(StandInModule(dense_config), checkpoint_of(dense_config, tensors))


def test_a_stored_head_that_equals_the_embedding_is_left_out(dense_config):
    tensors = random_tensors(dense_config)
    tensors["lm_head.weight"] = tensors[EMBEDDING].clone()
    report = load_weights(StandInModule(dense_config), checkpoint_of(dense_config, tensors))
    assert report.tied == ("lm_head.weight",)


def test_a_stored_head_that_differs_from_the_embedding_is_refused(dense_config):
    tensors = random_tensors(dense_config)
    tensors["lm_head.weight"] = tensors[EMBEDDING].clone()
    tensors["lm_head.weight"][-1, -1] += 1
    with pytest.raises(CheckpointError, match=r"1 unexpected: lm_head\.weight \[512, 64\] \(diff"):
        load_weights(StandInModule(dense_config), checkpoint_of(dense_config, tensors))


def test_a_norm_with_nan_is_refused(dense_config):
    tensors = random_tensors(dense_config)
    tensors["model.language_model.norm.weight"][7] = torch.nan
    with pytest.raises(CheckpointError, match=r"model\.language_model\.norm\.weight holds NaN"):
        load_weights(StandInModule(dense_config), checkpoint_of(dense_config, tensors))


def test_infinite_clip_bounds_are_no_damage(tiny):
    checkpoint = open_huggingface_checkpoint(tiny["e_series"])
    name = "model.vision_tower.encoder.layers.0.self_attn.q_proj.input_max"
    bound = TensorInMemory(name, torch.tensor(torch.inf))
    source = replace(checkpoint.source, tensors={**checkpoint.source.tensors, name: bound})
    model = build_model(checkpoint.config)
    load_weights(model, replace(checkpoint, source=source))
    assert model.state_dict()[name] == torch.inf


def test_a_model_of_another_configuration_is_refused(tiny, dense_config):
    checkpoint = open_huggingface_checkpoint(tiny["moe"])
    with pytest.raises(CheckpointError, match="built from another configuration") as caught:
        load_weights(build_model(dense_config), checkpoint)
    assert "layers.0.router.scale (model has none, checkpoint [64])" in str(caught.value)


def test_the_report_says_what_was_expanded(dense_config):
    values = random_tensors(dense_config)
    source = source_of(values)
    packed = f"{LAYER}mlp.gate_proj.weight"
    tensors = {**source.tensors, packed: TensorInMemory(packed, values[packed], "Q4_0")}
    checkpoint = replace(
        checkpoint_of(dense_config, values), source=replace(source, tensors=tensors)
    )
    report = load_weights(StandInModule(dense_config), checkpoint)
    assert report.expanded == {"Q4_0": 1}
    assert report.notes == ("quantized tensors were expanded to float32: 1 × Q4_0",)


def test_gemma3_norms_stay_float32_and_gain_their_one(tmp_path):
    directory = save_tiny("gemma3_text", tmp_path, dtype=torch.bfloat16)
    checkpoint = open_huggingface_checkpoint(directory)
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=torch.bfloat16)
    norm = model.model.language_model.norm.weight
    stored = build("gemma3_text").model.norm.weight.bfloat16()
    assert norm.dtype is torch.float32
    assert torch.equal(norm, stored.float() + 1.0)  # float32, exact
    assert model.dtype is torch.bfloat16


def test_indices_stay_integers_in_a_bfloat16_drafter(tiny):
    checkpoint = open_huggingface_checkpoint(tiny["drafter_ordered"])
    drafter = build_drafter(checkpoint.config)
    load_weights(drafter, checkpoint, dtype=torch.bfloat16)
    assert drafter.masked_embedding.token_ordering.dtype is torch.int64
    assert drafter.model.embed_tokens.weight.dtype is torch.bfloat16
