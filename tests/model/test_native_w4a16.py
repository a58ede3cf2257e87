"""Checkpoints in W4A16 under the native kernels: mapped as they are, or expanded and said so."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from native_models import page_storage, page_table, random_model
from native_products import native
from safetensors.torch import load_file, save_file
from tiny_models import save_tiny

from gemma4.cli.quantize.directory_job import plan_directory_job
from gemma4.config.huggingface.writer import write_config
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.model.native import NativeDecoder
from gemma4.model.paged_kv import PagedKV
from gemma4.quant import BlockStack, GroupedMatrix, PackedLinear
from gemma4.weights.load import LoadReport, load_weights
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.quantize.recipes import find_recipe
from gemma4.weights.save import save_checkpoint

TOKENS = 70


def quantized(source: Path, directory: Path) -> Path:
    """What `gemma4 quantize SOURCE --to w4a16 -o DIRECTORY` writes."""
    job = plan_directory_job(
        open_checkpoint(source),
        find_recipe("w4a16"),
        directory,
        may_requantize=False,
        replaces=False,
    )
    job.write(lambda _count: None)
    return directory


def saved(size: str, directory: Path) -> Path:
    """A shrunk published model as a directory."""
    model = random_model(size)
    fields = write_config(replace(model.config, stored_dtype="float32"))
    save_checkpoint(model, fields, directory)
    return directory


def opened(directory: Path, *, keep_blocks: bool) -> tuple[Gemma4, LoadReport]:
    checkpoint = open_checkpoint(directory)
    model = build_model(checkpoint.config)
    return model, load_weights(model, checkpoint, keep_blocks=keep_blocks)


@pytest.mark.parametrize("size", ["e2b", "26b-a4b", "31b"])
@torch.inference_mode()
def test_what_quantize_writes_is_computed_as_it_lies(size: str, tmp_path: Path) -> None:
    """float32: rows differ by 3 % (root of mean squares), for activations are rounded to 8 bits beside W4A16.

    The median counts: in rows where that chooses another expert, more than rounding differs.
    """
    directory = quantized(saved(size, tmp_path / "plain"), tmp_path / "packed")
    kept, report = opened(directory, keep_blocks=True)
    expanded, other = opened(directory, keep_blocks=False)
    assert report.kept["W4A16"] == other.expanded["W4A16"] > 20
    assert not report.expanded
    assert report.memory_bytes < other.memory_bytes / 4
    linear = kept.decoder.layers[0].self_attn.q_proj
    assert isinstance(linear, PackedLinear)
    assert isinstance(linear.matrix, GroupedMatrix)
    joined = [note for note in report.notes if "put together in memory" in note]
    if size == "26b-a4b":
        assert isinstance(kept.decoder.layers[0].experts.down_proj, BlockStack)
        assert joined == [
            "experts that are stored one by one were put together in memory as they are: 12 × W4A16"
        ]
    else:
        assert joined == []
    ids = torch.randint(1, 500, (TOKENS,), generator=torch.Generator().manual_seed(1))

    def batch(storage: object) -> Batch:
        return Batch(
            ids=ids,
            positions=torch.arange(TOKENS),
            lengths=(TOKENS,),
            logit_rows=torch.arange(0, TOKENS, 7),
            kv=PagedKV(storage, [page_table(storage, 0, 3)]),
        )

    theirs, slow, ours = (page_storage(expanded, torch.float32, pages=3) for _ in range(3))
    expected = expanded(batch(theirs)).logits
    decoded = kept(batch(slow)).logits  # the modules over the same packed weights
    torch.testing.assert_close(decoded, expected, rtol=1e-4, atol=1e-4)
    fast = NativeDecoder(kept, ours, native(), tokens=TOKENS)
    got = fast(batch(ours)).logits
    off = (got - expected).square().mean(-1).sqrt() / expected.square().mean(-1).sqrt()
    assert float(off.median()) < 0.03, off


def repacked(directory: Path, change: str) -> Path:
    """The first packed weight of a checkpoint stored in another way of compressed-tensors."""
    path = directory / "model.safetensors"
    tensors = load_file(path)
    name = "model.language_model.layers.0.mlp.up_proj.weight"
    config = json.loads((directory / "config.json").read_text())
    group = json.loads(json.dumps(config["quantization_config"]["config_groups"]["group_0"]))
    rows, groups = tensors[f"{name}_scale"].shape
    match change:
        case "float16" | "float32" | "too fine":
            scale = tensors[f"{name}_scale"].float() * (1.001 if change == "too fine" else 1)
            tensors[f"{name}_scale"] = scale.half() if change == "float16" else scale
        case "zero points":
            tensors[f"{name}_zero_point"] = torch.zeros(rows // 8, groups, dtype=torch.int32)
            group["weights"]["symmetric"] = False
        case "named groups":
            order = torch.arange(64, dtype=torch.int32) % groups
            tensors[f"{name}_g_idx"] = order
            group["weights"]["actorder"] = "group"
        case "groups of 16":
            tensors[f"{name}_scale"] = tensors[f"{name}_scale"].repeat_interleave(2, 1)
            group["weights"]["group_size"] = 16
    config["quantization_config"]["config_groups"]["group_1"] = group
    save_file(tensors, path)
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        ("float16", None),
        ("float32", None),
        ("too fine", "whose float32 scales are no bfloat16 numbers"),
        ("zero points", "with zero points"),
        ("named groups", "whose columns name their groups"),
        ("groups of 16", "in groups of 16 columns, no multiple of 32"),
    ],
)
def test_what_the_kernels_do_not_take_is_expanded_and_said(
    change: str, phrase: str | None, tmp_path: Path
) -> None:
    directory = quantized(save_tiny("dense31", tmp_path / "plain"), tmp_path / "packed")
    _, before = opened(directory, keep_blocks=True)
    expected, _ = opened(repacked(directory, change), keep_blocks=False)
    model, report = opened(directory, keep_blocks=True)
    linear = model.decoder.layers[0].mlp.up_proj
    if phrase is None:
        assert isinstance(linear, PackedLinear)
        assert report.kept == before.kept
        assert report.notes == ()
        decoded = linear.matrix.decode(0, 96, torch.float32)
        assert torch.equal(decoded, expected.decoder.layers[0].mlp.up_proj.weight)  # exact
        return
    assert report.kept["W4A16"] == before.kept["W4A16"] - 1
    assert report.notes == (
        "quantized tensors were expanded to float32: 1 × W4A16",
        f"the native kernels do not take 1 × W4A16 {phrase}",
    )
    assert torch.equal(linear.weight, expected.decoder.layers[0].mlp.up_proj.weight)
