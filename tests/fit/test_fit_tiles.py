"""What a GPU keeps quantized: the bytes that the loader's own packing makes, and all else expanded."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from cuda_engines import KERNELS
from native_models import DRAFTED
from quantized_models import written
from tiny_gguf import write_gguf
from torch import Tensor, nn

from gemma4.cli.run import measure
from gemma4.cli.run.request import Placing
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.fit import Gpu, Machine, WeightsEstimate, estimate_stored_weights, estimate_weights
from gemma4.fit.precision import QUANTIZATIONS, find_quantization
from gemma4.fit.tiles import published_tiles, tiled_bytes
from gemma4.kernels.cuda.modules import TiledLinear, TiledStack
from gemma4.kernels.cuda.packed import PackedMatrix, pack_q4_0, pack_q8_0, pack_w4a16
from gemma4.llm.placement import Placement
from gemma4.model.cuda.weights import stack_weights
from gemma4.model.gemma4 import Gemma4, build_model
from gemma4.quant import PackedWeight
from gemma4.tensors.table import tensor_table
from gemma4.weights.checkpoint import Checkpoint
from gemma4.weights.derived import NamedSource
from gemma4.weights.load import load_weights
from gemma4.weights.open_checkpoint import open_checkpoint
from gemma4.weights.stored_weights import stored_weights


def loaded(checkpoint: Checkpoint) -> Gemma4:
    """As it would be on a GPU."""
    model = build_model(checkpoint.config)
    load_weights(model, checkpoint, dtype=torch.bfloat16, tile=True)
    return model


def bytes_of(model: nn.Module) -> int:
    """Of all that a GPU would hold: plain tensors, and tiles of matrices and of experts."""
    plain = sum(tensor.nbytes for tensor in model.state_dict().values())
    tiles = 0
    for module in model.modules():
        held = [module] if isinstance(module, TiledLinear) else vars(module).values()
        tiles += sum(
            part.matrix.num_bytes for part in held if isinstance(part, TiledLinear | TiledStack)
        )
    return plain + tiles


def counted(checkpoint: Checkpoint) -> WeightsEstimate:
    return estimate_stored_weights(stored_weights(checkpoint), "bfloat16", tiled=True)


@pytest.mark.parametrize("size", DRAFTED)
@pytest.mark.parametrize("recipe", ["bf16", "q8_0", "q4_0", "w4a16"])
def test_bytes_are_those_of_the_loaded_model(size: str, recipe: str, tmp_path: Path) -> None:
    """Also after the matrices of one product are stacked."""
    checkpoint = open_checkpoint(written(size, recipe, tmp_path))
    weights, model = counted(checkpoint), loaded(checkpoint)
    expanded = estimate_stored_weights(stored_weights(checkpoint), "bfloat16")
    assert weights.text_bytes + weights.media_bytes == bytes_of(model)
    assert (weights.text_bytes < expanded.text_bytes) == (recipe != "bf16")
    stack_weights(model.decoder)
    assert weights.text_bytes + weights.media_bytes == bytes_of(model)


@pytest.mark.parametrize("encoding", ["Q4_0", "Q8_0", "Q4_1", "BF16"])
def test_a_file_in_one_format_is_tiled_where_kernels_read_it(encoding: str, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(write_gguf("dense31", tmp_path / "model.gguf", encoding))
    weights = counted(checkpoint)
    assert weights.text_bytes == bytes_of(loaded(checkpoint))
    expanded = estimate_stored_weights(stored_weights(checkpoint), "bfloat16")
    assert (weights == expanded) == (encoding in ("Q4_1", "BF16"))


def test_matrices_of_a_product_in_two_formats_are_counted_expanded(tmp_path: Path) -> None:
    checkpoint, other = (
        open_checkpoint(write_gguf("dense31", tmp_path / f"{encoding}.gguf", encoding))
        for encoding in ("Q4_0", "Q8_0")
    )
    name = "model.language_model.layers.0.self_attn.k_proj.weight"
    tensors = {**checkpoint.source.tensors, name: other.source.tensors[name]}
    source = NamedSource(path=checkpoint.source.path, tensors=tensors)
    mixed = replace(checkpoint, source=source)
    assert counted(mixed).text_bytes == bytes_of(loaded(mixed))
    assert counted(mixed).text_bytes > counted(checkpoint).text_bytes


@cache
def packed(encoding: str, shape: tuple[int, ...]) -> PackedMatrix:
    """What the loader's packing makes of a matrix, or of a layer's experts; without a number in it."""
    matrices, rows, columns = (1, *shape) if len(shape) == 2 else shape

    def empty(width: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(matrices * rows, width, dtype=dtype, device="meta")

    match encoding:
        case "Q4_0":
            return pack_q4_0(empty(columns // 32 * 18, torch.uint8), matrices=matrices)
        case "Q8_0":
            return pack_q8_0(empty(columns // 32 * 34, torch.uint8), matrices=matrices)
    weight = PackedWeight(
        columns=columns,
        packed=empty(columns // 8, torch.int32),
        scale=empty(columns // 32, torch.bfloat16),
    )
    return pack_w4a16(weight, matrices=matrices)


@pytest.mark.parametrize(
    ("name", "quant", "encoding"),
    [
        ("e2b", "q8_0", "Q8_0"),
        ("e4b", "w4a16", "W4A16"),
        ("12b", "q4_0", "Q4_0"),
        ("26b-a4b", "q4_0", "Q4_0"),
        ("31b", "w4a16", "W4A16"),
    ],
)
def test_published_matrices_take_what_packing_makes(name: str, quant: str, encoding: str) -> None:
    """Rows of 704 numbers, of 26B's experts, are filled up to 768."""
    entries = tensor_table(PUBLISHED_MODELS[name])
    tiles = published_tiles(entries, QUANTIZATIONS[quant].encodings)
    shapes = {entry.name: entry.shape for entry in entries}
    assert {path.rpartition(".layers.")[0] for path in tiles} == {"model.language_model"}
    for path, size in tiles.items():
        if "experts" not in path or "layers.0." in path:
            assert size == packed(encoding, shapes[path]).num_bytes, path


@pytest.mark.parametrize(
    ("group", "columns"),
    [(32, 256), (32, 704), (64, 704), (64, 768), (128, 256), (128, 768), (256, 768)],
)
def test_scales_of_any_group_are_filled_up_to_blocks(group: int, columns: int) -> None:
    weight = PackedWeight(
        columns=columns,
        packed=torch.zeros(64, columns // 8, dtype=torch.int32),
        scale=torch.ones(64, columns // group, dtype=torch.bfloat16),
    )
    assert tiled_bytes((64, columns), bits=4, group=group) == pack_w4a16(weight).num_bytes


def test_a_published_model_takes_a_third_of_what_expanding_took() -> None:
    """26B-A4B in Q4_0: 14 GiB of tiles, and embedding and towers in bfloat16."""
    config, quantization = PUBLISHED_MODELS["26b-a4b"], find_quantization("q4_0")
    tiled = estimate_weights(config, quantization, "bfloat16", tiled=True)
    expanded = estimate_weights(config, quantization, "bfloat16")
    assert tiled.media_bytes == expanded.media_bytes
    assert 0.28 < tiled.text_bytes / expanded.text_bytes < 0.36


def test_run_measures_a_gpu_as_it_would_load(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the GPU's kernels the tiles count, without them the expanded weights."""
    checkpoint = open_checkpoint(written("31b", "q4_0", tmp_path))
    gpu = Gpu(name="a", total_bytes=2**40, free_bytes=2**40)
    machine = Machine(total_bytes=2**40, available_bytes=2**40, gpus=(gpu,))
    manifest = SimpleNamespace(name="a", files=(), quantization="Q4_0")
    needed = []
    for kernels in (KERNELS, None):
        place = Placement(torch.device("cuda", 0), torch.bfloat16, (), kernels)
        monkeypatch.setattr("gemma4.llm.footprint.choose_placement", lambda *_, p=place: p)
        found = measure._measure(manifest, checkpoint, checkpoint.config, machine, Placing())
        needed.append(found.needed)
    expanded = estimate_stored_weights(stored_weights(checkpoint), "bfloat16")
    assert needed[1] - needed[0] == expanded.text_bytes - counted(checkpoint).text_bytes > 0
