"""Matrices laid out for a GPU: the numbers of the file, to the bit, and what is expanded instead."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny_gguf import write_gguf
from torch import Tensor, nn
from triton_weights import random_blocks, random_w4a16

from gemma4.kernels.cuda.modules import TiledLinear, TiledStack
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.quant import FORMATS
from gemma4.tensors.entry import Role, TensorEntry, TensorKind
from gemma4.weights.checkpoint import Checkpoint
from gemma4.weights.derived import JoinedTensor, NamedSource
from gemma4.weights.huggingface.packed_tensor import PackedTensor
from gemma4.weights.load import LoadReport, load_weights
from gemma4.weights.mapped_tensor import MappedTensor
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.source import StoredTensor
from gemma4.weights.tiled import choose_tiled, put_tiled

CPU = torch.device("cpu")
LAYER = "model.language_model.layers.0."


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tiled")
    return {
        encoding: write_gguf("dense31", folder / f"{encoding}.gguf", encoding)
        for encoding in ("Q4_0", "Q8_0", "Q4_1")
    }


def load(checkpoint: Checkpoint) -> tuple[Gemma4, LoadReport]:
    model = build_model(checkpoint.config)
    return model, load_weights(model, checkpoint, dtype=torch.bfloat16, tile=True)


@pytest.mark.parametrize("encoding", ["Q4_0", "Q8_0"])
def test_blocks_keep_every_bit(files: dict[str, Path], encoding: str) -> None:
    checkpoint = open_checkpoint(files[encoding])
    model, report = load(checkpoint)
    tiled = {n: m for n, m in model.named_modules() if isinstance(m, TiledLinear)}
    assert report.tiled == {encoding: len(tiled)} == {encoding: 41}  # six layers, one without v
    assert report.expanded == {encoding: 1}  # the embedding
    for name, module in tiled.items():
        stored = checkpoint.source.tensors[f"{name}.weight"]
        assert torch.equal(module.matrix.dequantize(), stored.read(torch.float32))
    assert report.notes == (
        f"quantized matrices are on the GPU as they are: 41 × {encoding}",
        f"quantized tensors were expanded to bfloat16: 1 × {encoding}; GPU kernels read Q4_0, Q8_0 and "
        "symmetric W4A16, one format in a product",
    )


def test_matrices_of_a_product_are_expanded_together(files: dict[str, Path]) -> None:
    checkpoint = open_checkpoint(files["Q4_0"])
    other = open_checkpoint(files["Q8_0"]).source.tensors
    changed = (f"{LAYER}self_attn.k_proj.weight", f"{LAYER}mlp.down_proj.weight")
    tensors = {**checkpoint.source.tensors, **{name: other[name] for name in changed}}
    source = NamedSource(path=checkpoint.source.path, tensors=tensors)
    model, report = load(replace(checkpoint, source=source))
    assert report.tiled == {"Q4_0": 37, "Q8_0": 1}
    assert report.expanded == {"Q4_0": 3, "Q8_0": 1}  # embedding, queries and values; keys
    layer = model.decoder.layers[0]
    assert isinstance(layer.self_attn.q_proj, nn.Linear)
    assert isinstance(layer.mlp.down_proj, TiledLinear)


def test_what_no_kernel_reads_is_expanded_and_said(files: dict[str, Path]) -> None:
    _, report = load(open_checkpoint(files["Q4_1"]))
    assert not report.tiled
    (note,) = report.notes
    assert note.startswith("quantized tensors were expanded to bfloat16: 42 × Q4_1; GPU kernels")


def blocks(rows: int, columns: int, *shape: int) -> MappedTensor:
    data = random_blocks("Q4_0", rows, columns).flatten().numpy()
    return MappedTensor(name="part", shape=(*shape, columns), format=FORMATS["Q4_0"], data=data)


def groups(rows: int, columns: int, *shape: int) -> PackedTensor:
    weight = random_w4a16(rows, columns, 32, torch.bfloat16)
    return PackedTensor(name="part", shape=(*shape, columns), weight=weight, stretches=())


def by_experts() -> JoinedTensor:
    """Three experts, gate and up each on their own, as quantizers store them."""
    parts = [
        ((expert, slice(first, first + 32)), groups(32, 64, 32))
        for first in (32, 0)
        for expert in (2, 0, 1)
    ]
    return JoinedTensor(name="whole", shape=(3, 64, 64), parts=parts)


def by_halves() -> JoinedTensor:
    """Gate of all experts, then up, as llama.cpp stores them."""
    parts = [((slice(None), slice(first, first + 32)), blocks(96, 64, 3, 32)) for first in (0, 32)]
    return JoinedTensor(name="whole", shape=(3, 64, 64), parts=parts)


@pytest.mark.parametrize(
    "stored", [by_experts(), by_halves(), blocks(192, 64, 3, 64), groups(192, 64, 3, 64)]
)
def test_experts_in_any_arrangement(stored: StoredTensor) -> None:
    torch.manual_seed(0)
    entry = TensorEntry(
        name="layer.experts.gate_up_proj",
        shape=(3, 64, 64),
        kind=TensorKind.EXPERTS,
        role=Role.EXPERTS,
    )
    assert choose_tiled([entry], {entry.name: stored}) == {entry.name}
    model = nn.Module()
    model.layer, experts = nn.Module(), nn.Module()
    model.layer.experts = experts
    experts.gate_up_proj = nn.Parameter(torch.empty(0))
    size = put_tiled(model, entry, stored, device=CPU, dtype=torch.float32)
    stack = experts.gate_up_proj
    assert isinstance(stack, TiledStack)
    assert size == stack.matrix.num_bytes == 3 * 64 * (64 // 2 + 2 * 64 // 32) * 2  # of 128 columns
    whole = stored.read(torch.float32)
    for expert in range(3):
        assert torch.equal(stack[expert], whole[expert])


def test_groups_that_no_kernel_reads_are_left() -> None:
    def chosen(weight: Tensor, scale: Tensor, rows: int) -> bool:
        stored = groups(rows, 64, rows)
        stored = replace(stored, weight=replace(stored.weight, packed=weight, scale=scale))
        entry = TensorEntry(
            name="o_proj.weight", shape=(rows, 64), kind=TensorKind.LINEAR, role=Role.ATTENTION
        )
        return bool(choose_tiled([entry], {entry.name: stored}))

    words = torch.zeros(32, 8, dtype=torch.int32)
    assert chosen(words, torch.ones(32, 2).half(), 32)
    assert not chosen(words, torch.ones(32, 2), 32)  # scales of 32 bits
    assert not chosen(words, torch.ones(32, 4).half(), 32)  # groups of 16
    assert not chosen(words[:16], torch.ones(16, 2).half(), 16)  # half a tile
