"""Matrices of towers stay where the file has them: addresses, counts, and a process's private memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from seeing_models import merged_directory, seeing_config, seeing_directory

from gemma4.cli.quantize.gguf_job import plan_gguf_job
from gemma4.config import ModelConfig
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.model.native.towers import kept_media
from gemma4.quant import BlockMatrix, PackedLinear
from gemma4.tensors.entry import Layout, Role, TensorEntry, TensorKind
from gemma4.tensors.table import tensor_table
from gemma4.weights.checkpoint import Checkpoint
from gemma4.weights.load import LoadReport, load_weights
from gemma4.weights.mapped_tensor import MappedTensor
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.recipes import find_recipe

MEDIA = (Role.VISION, Role.AUDIO, Role.PROJECTOR)
LARGE = (TensorKind.LINEAR, TensorKind.POSITION)
MEBIBYTE = 2**20


def opened(form: str, tmp_path: Path) -> Checkpoint:
    """Safetensors in bfloat16 or float32, or what our quantizer writes of them."""
    if form in ("bfloat16", "float32"):
        return open_checkpoint(seeing_directory(dtype=form))
    source = open_checkpoint(seeing_directory())
    path = tmp_path / "model.gguf"
    job = plan_gguf_job(source, find_recipe(form), path, may_requantize=False, replaces=False)
    job.write(lambda _: None)
    return open_checkpoint(path)


def filled(checkpoint: Checkpoint) -> tuple[Gemma4, LoadReport]:
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    kept = kept_media(checkpoint.config)
    return model, load_weights(model, checkpoint, keep_blocks=True, keep_media=kept)


def large_entries(checkpoint: Checkpoint) -> list[TensorEntry]:
    assert isinstance(checkpoint.config, ModelConfig)
    table = tensor_table(checkpoint.config)
    return [entry for entry in table if entry.role in MEDIA and entry.kind in LARGE]


def address(model: Gemma4, entry: TensorEntry) -> int:
    owner, _, name = entry.name.rpartition(".")
    module = model.get_submodule(owner)
    if isinstance(module, PackedLinear):
        assert isinstance(module.matrix, BlockMatrix)
        return module.matrix.address
    return int(getattr(module, name).data_ptr())


@pytest.mark.parametrize("form", ["bfloat16", "float32", "f16", "bf16", "f32", "q8_0"])
def test_large_tensors_lie_in_the_file(form: str, tmp_path: Path) -> None:
    checkpoint = opened(form, tmp_path)
    model, report = filled(checkpoint)
    entries = large_entries(checkpoint)
    copied = 0
    for entry in entries:
        stored = checkpoint.source.tensors[entry.name]
        if isinstance(stored, MappedTensor):
            assert address(model, entry) == stored.data.ctypes.data, entry.name
        else:
            assert entry.layout is Layout.IMAGE_PATCH
            copied += stored.nbytes
    assert len(entries) > 40
    # The rest are norms, bounds and convolutions in float32: 100 kB.
    assert copied <= report.memory_bytes < copied + 200_000
    assert sum(entry.num_elements for entry in entries) > 400_000


def test_what_must_change_its_layout_is_copied_as_wide_as_it_is(tmp_path: Path) -> None:
    """llama.cpp's patch embedding is of channel planes: its copy has the file's dtype, and is counted."""
    checkpoint = opened("bf16", tmp_path)
    model, report = filled(checkpoint)
    path = "model.vision_tower.patch_embedder.input_proj"
    stored = checkpoint.source.tensors[f"{path}.weight"]
    weight = model.get_submodule(path).weight
    assert weight.nbytes == stored.nbytes
    assert report.memory_bytes > weight.nbytes


def test_a_part_that_torch_computes_is_read_as_before() -> None:
    checkpoint = open_checkpoint(seeing_directory())
    assert isinstance(checkpoint.config, ModelConfig)
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, keep_blocks=True, keep_media=("model.audio_tower.",))
    linear = model.get_submodule("model.vision_tower.encoder.layers.0.mlp.up_proj.linear")
    assert linear.weight.dtype is torch.float32
    audio = model.get_submodule("model.audio_tower.output_proj")
    assert isinstance(audio, PackedLinear)
    assert audio.bias is not None
    assert audio.bias.dtype is torch.float32


def test_merged_patches_stay_too() -> None:
    """12B's projection has a bias, which is read."""
    checkpoint = open_checkpoint(merged_directory())
    model, _ = filled(checkpoint)
    for entry in large_entries(checkpoint):
        stored = checkpoint.source.tensors[entry.name]
        assert isinstance(stored, MappedTensor)
        assert address(model, entry) == stored.data.ctypes.data, entry.name


WIDTH, LAYERS = 512, 3


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, int]]:
    """After each step, bytes of private memory, and of a tower's pages in the mapped file."""
    script = Path(__file__).with_name("towers_in_memory.py")
    directory = seeing_directory(width=WIDTH, layers=LAYERS)
    words = [sys.executable, str(script), str(directory)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def tower_bytes(role: Role) -> int:
    table = tensor_table(seeing_config(width=WIDTH, layers=LAYERS))
    large = (entry for entry in table if entry.role is role and entry.kind in LARGE)
    return sum(2 * entry.num_elements for entry in large)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_tower_comes_into_memory_when_it_is_used(found: dict[str, dict[str, int]]) -> None:
    """Pages of the file, of bfloat16 weights. An image leaves the audio tower on disk."""
    vision, audio = tower_bytes(Role.VISION), tower_bytes(Role.AUDIO)
    assert min(vision, audio) > 15 * MEBIBYTE
    loaded, image, sound = (found[step] for step in ("load", "image", "sound"))
    assert loaded["vision"] < vision / 10
    assert loaded["audio"] < audio / 10
    assert image["vision"] > 0.9 * (vision - 128 * WIDTH * 4)  # of the position table a few rows
    assert image["audio"] < audio / 10
    assert sound["audio"] > 0.9 * audio


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_step_copies_weights(found: dict[str, dict[str, int]]) -> None:
    """A copy of a tower in float32 would be twice the bytes; allowed are an eighth, and buffers."""
    eighth = min(tower_bytes(Role.VISION), tower_bytes(Role.AUDIO)) // 8
    private = {step: figures["private"] for step, figures in found.items()}
    assert private["load"] - private["start"] < eighth + 3 * MEBIBYTE
    assert private["sound"] - private["load"] < eighth + 8 * MEBIBYTE
