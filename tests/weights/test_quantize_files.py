"""Every tiny model goes through files that we write and comes back: the same bits where nothing rounds."""

import json
import resource
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from stored_tensors import TensorInMemory
from tiny_gguf import write_gguf as write_reference
from tiny_gguf import write_mmproj as write_reference_mmproj
from tiny_models import KINDS, TARGETS, save_tiny

from gemma4.cli.quantize.directory_job import plan_directory_job
from gemma4.cli.quantize.gguf_job import plan_gguf_job
from gemma4.cli.quantize.steps import without_ordered_head
from gemma4.errors import CheckpointError, InputError
from gemma4.quant import FORMATS
from gemma4.quant.encode import encode
from gemma4.tensors.entry import Layout, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.weights.compare import compare_tensors
from gemma4.weights.derived import NamedSource
from gemma4.weights.gguf.source import open_gguf_source
from gemma4.weights.huggingface.safetensors_files import open_safetensors
from gemma4.weights.mapped_file import map_file
from gemma4.weights.mapped_tensor import MappedTensor
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize import directory as directory_module
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.quantize.row_slices import WEIGHTS_AT_ONCE, RowReader

IN_GGUF = tuple(kind for kind in KINDS if kind != "gemma3_text")  # its attention scale has no key


def no_bytes(_count):
    """Nobody wants to know."""


def through(checkpoint, recipe, output, **options):
    """Write a checkpoint and open what was written."""
    plan = plan_gguf_job if output.suffix == ".gguf" else plan_directory_job
    settings = {"may_requantize": False, "replaces": False} | options
    job = plan(checkpoint, find_recipe(recipe), output, **settings)
    job.write(no_bytes)
    found = open_checkpoint(output)
    compare_tensors(found.source, tensor_table(found.config), found.config)
    return found, job


def assert_same_bits(first, second, *, but=()):
    """All tensors of two checkpoints are equal: exact, but for layouts that round."""
    for entry in tensor_table(first.config):
        expected, found = (c.source.tensors[entry.name].read() for c in (first, second))
        if entry.layout in but:
            # float32; softplus and its inverse round once each.
            torch.testing.assert_close(found.float(), expected.float(), rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(found.to(expected.dtype), expected), entry.name


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", IN_GGUF)
def test_a_gguf_of_plain_numbers_has_the_same_bits(kind, dtype, tmp_path):
    source = without_ordered_head(open_checkpoint(save_tiny(kind, tmp_path / "from", dtype=dtype)))
    recipe = "f32" if dtype is torch.float32 else "bf16"
    found, job = through(source, recipe, tmp_path / "to" / "m.gguf")
    assert_same_bits(source, found, but=(Layout.SOFTPLUS,))
    assert found.config.text == replace(
        source.config.text, bidirectional_media=found.config.text.bidirectional_media
    )
    for output in job.outputs:
        assert output.path.stat().st_size == output.nbytes


@pytest.mark.parametrize("kind", TARGETS)
def test_the_files_hold_what_the_reference_converter_writes(kind, tmp_path):
    """Names, shapes and values of tensors, and keys; the reference uses the gguf package's tables."""
    source = open_checkpoint(save_tiny(kind, tmp_path / "from"))
    through(source, "f32", tmp_path / "ours" / "m.gguf")
    theirs = {
        "m.gguf": write_reference(kind, tmp_path / "theirs.gguf"),
        "mmproj-m.gguf": write_reference_mmproj(kind, tmp_path / "their-mmproj.gguf"),
    }
    for name, path in theirs.items():
        expected, found = open_gguf_source(path), open_gguf_source(tmp_path / "ours" / name)
        assert found.tensors.keys() == expected.tensors.keys()
        for tensor, stored in expected.tensors.items():
            assert found.tensors[tensor].shape == stored.shape, tensor
            torch.testing.assert_close(
                found.tensors[tensor].read(), stored.read(), rtol=1e-6, atol=1e-6
            )  # float32; softplus is taken in another precision there, all else is exact
        ours = found.metadata
        for key, value in expected.metadata.items():
            if not key.endswith(("feed_forward_length", "head_count_kv")):
                assert ours[key] == value, key
            else:  # one number stands for an array of equal ones
                assert np.all(np.array(ours[key]) == np.array(value)), key


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kind", KINDS)
def test_a_directory_of_plain_numbers_has_the_same_bits(kind, dtype, tmp_path):
    source = open_checkpoint(save_tiny(kind, tmp_path / "from", dtype=dtype))
    recipe = "f32" if dtype is torch.float32 else "bf16"
    found, _ = through(source, recipe, tmp_path / "to")
    assert_same_bits(source, found)
    assert found.config == replace(source.config, stored_dtype=str(dtype).removeprefix("torch."))


@pytest.mark.parametrize("kind", [*TARGETS, "drafter_ordered"])
def test_gguf_to_directory_and_back_changes_nothing(kind, tmp_path):
    source = without_ordered_head(open_checkpoint(save_tiny(kind, tmp_path / "from")))
    first, _ = through(source, "f32", tmp_path / "a" / "m.gguf")
    middle, _ = through(first, "f32", tmp_path / "b")
    last, _ = through(middle, "f32", tmp_path / "c" / "m.gguf")
    assert_same_bits(first, last, but=(Layout.SOFTPLUS,))
    assert last.config == first.config


@pytest.mark.parametrize("kind", ["e_series", "moe", "gemma3_text", "drafter_dense"])
def test_w4a16_is_read_back_and_close(kind, tmp_path):
    source = open_checkpoint(save_tiny(kind, tmp_path / "from"))
    found, job = through(source, "w4a16", tmp_path / "to")
    config = json.loads((tmp_path / "to" / "config.json").read_text())
    assert config["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"] == 32
    packed = 0
    for entry in tensor_table(source.config):
        stored = found.source.tensors[entry.name]
        expected = source.source.tensors[entry.name].read(torch.float32)
        if stored.encoding != "W4A16":
            plain = (expected - entry.file_offset).to(torch.bfloat16).to(expected.dtype)
            assert torch.equal(stored.read(torch.float32), plain + entry.file_offset)  # exact
            continue
        packed += 1
        assert entry.lowest_bits == 4
        off = (stored.read() - expected).square().mean().sqrt() / expected.square().mean().sqrt()
        assert off < 0.11  # found: 0.09 for normal weights
    assert packed > 10
    if kind == "moe":  # experts of 24 columns fit into no group of 32
        assert any("are BF16 instead of W4A16" in note for note in job.notes)


def test_experts_are_packed_one_by_one(tmp_path):
    """As quantizers name them, which transformers and vLLM read."""
    directory = save_tiny("moe", tmp_path / "from")
    through(open_checkpoint(directory), "w4a16", tmp_path / "to")
    names = json.loads(header_of(tmp_path / "to" / "model.safetensors"))
    path = "model.language_model.layers.0.experts."
    for name in ("0.gate_proj", "0.up_proj", "7.up_proj"):
        assert names[f"{path}{name}.weight_packed"]["shape"] == [24, 8]
        assert names[f"{path}{name}.weight_scale"]["shape"] == [24, 2]
    assert f"{path}gate_up_proj" not in names


def header_of(path):
    """The header of a safetensors file."""
    data = path.read_bytes()
    return data[8 : 8 + int.from_bytes(data[:8], "little")]


def test_blocks_that_have_the_format_already_are_copied(tmp_path):
    source = open_checkpoint(save_tiny("dense31", tmp_path / "from"))
    first, _ = through(source, "q4_0", tmp_path / "a" / "m.gguf")
    second, job = through(first, "q4_0", tmp_path / "b" / "m.gguf")  # no --requantize needed
    ours, theirs = (open_gguf_source(tmp_path / f / "m.gguf").tensors for f in "ab")
    for name, tensor in ours.items():
        assert np.array_equal(tensor.data, theirs[name].data), name
    assert not any("second time" in note for note in job.notes)
    assert second.config.text == first.config.text


def test_a_second_quantization_is_refused_or_told(tmp_path):
    source = open_checkpoint(save_tiny("dense31", tmp_path / "from"))
    first, _ = through(source, "q8_0", tmp_path / "a" / "m.gguf")
    with pytest.raises(InputError, match=r"is quantized already \(\d+ × Q8_0 would be quantized"):
        through(first, "q4_0", tmp_path / "b" / "m.gguf")
    assert not (tmp_path / "b").exists()
    second, job = through(first, "q4_0", tmp_path / "b" / "m.gguf", may_requantize=True)
    assert any(note.startswith("quantized a second time") for note in job.notes)
    assert "× Q8_0" in second.metadata["quantize.requantized"]
    assert second.metadata["quantize.source"] == "m.gguf"
    expanded, job = through(second, "f32", tmp_path / "c")  # loses nothing, so it is not refused
    assert not any("second time" in note for note in job.notes)
    assert expanded.config.stored_dtype == "float32"


@pytest.mark.parametrize("output", ["to.gguf", "to"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
def test_what_is_no_number_names_the_tensor_and_leaves_no_file(wrong, output, tmp_path):
    directory = save_tiny("dense31", tmp_path / "from")
    source = open_checkpoint(directory)
    name = "model.language_model.layers.3.mlp.up_proj.weight"
    values = source.source.tensors[name].read().clone()
    values[5, 7] = wrong
    damaged = {**source.source.tensors, name: TensorInMemory(name, values)}
    source = replace(source, source=NamedSource(path=directory, tensors=damaged))
    recipe = "q4_0" if output.endswith(".gguf") else "w4a16"
    with pytest.raises(CheckpointError, match=r"layers\.3\.mlp\.up_proj\.weight holds 1 values"):
        through(source, recipe, tmp_path / "out" / output)
    assert list((tmp_path / "out").iterdir()) == []


def test_an_infinite_clip_bound_is_no_damage(tmp_path):
    directory = save_tiny("e_series", tmp_path / "from")
    source = open_checkpoint(directory)
    bound = next(e for e in tensor_table(source.config) if e.kind is TensorKind.CLIP_BOUND)
    tensors = {**source.source.tensors}
    tensors[bound.name] = TensorInMemory(bound.name, torch.tensor(float("-inf")))
    source = replace(source, source=NamedSource(path=directory, tensors=tensors))
    for output in ("a/m.gguf", "b"):
        recipe = "q8_0" if output.endswith(".gguf") else "bf16"
        found, _ = through(source, recipe, tmp_path / output)
        assert float(found.source.tensors[bound.name].read()) == float("-inf")


def test_dead_tensors_are_left_out_and_told(tmp_path):
    source = open_checkpoint(save_tiny("e_series", tmp_path / "from"))
    dead = "model.language_model.layers.9.self_attn.k_proj.weight"
    tensors = {**source.source.tensors, dead: TensorInMemory(dead, torch.zeros(32, 64))}
    source = replace(source, source=NamedSource(path=source.path, tensors=tensors))
    _, job = through(source, "q8_0", tmp_path / "to" / "m.gguf")
    assert "1 tensors of layers that borrow keys were left out" in job.notes


def test_many_shards_have_an_index(tmp_path, monkeypatch):
    monkeypatch.setattr(
        directory_module.write_directory, "__kwdefaults__", {"shard_bytes": 100_000}
    )
    source = open_checkpoint(save_tiny("moe", tmp_path / "from"))
    found, _ = through(source, "f32", tmp_path / "to")
    assert len(list((tmp_path / "to").glob("model-*-of-*.safetensors"))) > 2
    assert_same_bits(source, found)


def test_slices_join_to_the_whole(tmp_path):
    values = torch.randn(3, 1000, 1500)
    save_file({"w": values}, tmp_path / "w.safetensors")
    reader = RowReader(open_safetensors(tmp_path / "w.safetensors").tensors["w"])
    slices = list(reader.slices())
    assert len(slices) > 1
    assert all(part.values.numel() <= WEIGHTS_AT_ONCE for part in slices)
    assert torch.equal(torch.cat([part.values for part in slices]), values.flatten(0, 1))


def test_memory_is_bounded_by_a_slice_and_not_by_the_tensor(tmp_path):
    """A table of 480 MB in bfloat16 is written as Q8_0; the peak of the process hardly moves."""
    path = tmp_path / "table"
    rows, columns = 30_000, 8_000
    path.write_bytes(b"")
    with path.open("r+b") as file:  # a sparse file: zeros that take no disk
        file.truncate(rows * columns * 2)
    stored = MappedTensor(
        name="table", shape=(rows, columns), format=FORMATS["BF16"], data=map_file(path)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    total = 0
    for part in RowReader(stored).slices():
        total += encode(part.values, FORMATS["Q8_0"], name="table").nbytes
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert total == rows * columns // 32 * 34
    assert grown * 1024 < 160 << 20  # slices of 16 MB with what encodes them; the table has 480 MB
