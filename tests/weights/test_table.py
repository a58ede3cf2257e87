"""The tensor table equals the listing of the published sizes, and the modules."""

import lzma
import re
from pathlib import Path

import pytest

from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.model.drafter import build_drafter
from gemma4.model.gemma4 import build_model
from gemma4.tensors.entry import Role, TensorKind
from gemma4.tensors.table import dead_tensor_names, tensor_table
from gemma4.weights.huggingface.names import module_path

LISTING = Path(__file__).parents[1] / "data" / "tensor_shapes" / "tensor_shapes.txt.xz"
SIZES = {"E2B": "e2b", "E4B": "e4b", "12B": "12b", "26B": "26b-a4b", "31B": "31b"}
LAYERS_WRITTEN_OUT = 8  # the listing names up to so many layers one by one


def read_listing():
    """{size: (total, tensors)} and {size: {name with N: shapes as written}}."""
    totals, sections, current = {}, {}, None
    for line in lzma.decompress(LISTING.read_bytes()).decode().splitlines():
        total = re.match(r"(\w+) total (\d+) .* ntensors (\d+)$", line)
        if total:
            totals[total[1]] = (int(total[2]), int(total[3]))
        elif line.startswith("===== "):
            current = sections.setdefault(line.removeprefix("===== "), {})
        elif current is not None:
            name, _, shapes = line.partition(" ")
            current[name] = shapes
    return totals, sections


def summarize(entries):
    """Write a table as the listing does: {name with N: {shape: layers}}."""
    layers: dict[str, dict[str, list[int]]] = {}
    for entry in entries:
        number = re.search(r"\.layers\.(\d+)\.", entry.name)
        name = re.sub(r"\.layers\.\d+\.", ".layers.N.", entry.name)
        index = int(number[1]) if number else -1
        layers.setdefault(name, {}).setdefault(str(entry.shape), []).append(index)
    return {
        name: str({shape: _written(found) for shape, found in shapes.items()})
        for name, shapes in layers.items()
    }


def _written(found):
    if len(found) <= LAYERS_WRITTEN_OUT:
        return found
    return f"{len(found)} layers {found[0]}..{found[-1]}"


@pytest.mark.parametrize("size", SIZES)
def test_every_name_and_shape_of_the_listing_is_in_the_table_and_no_other(size):
    config = PUBLISHED_MODELS[SIZES[size]]
    listed = read_listing()[1][size]
    expected = {module_path(name, config): shapes for name, shapes in listed.items()}
    assert summarize(tensor_table(config)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_totals_equal_the_listing(size):
    table = tensor_table(PUBLISHED_MODELS[SIZES[size]])
    total, count = read_listing()[0][size]
    assert sum(entry.num_elements for entry in table) == total
    assert len(table) == count


@pytest.mark.parametrize("name", PUBLISHED_MODELS)
def test_modules_on_the_meta_device_are_the_table(name):
    config = PUBLISHED_MODELS[name]
    module = build_model(config)
    found = {path: tuple(tensor.shape) for path, tensor in module.state_dict().items()}
    assert found == {entry.name: entry.shape for entry in tensor_table(config)}


@pytest.mark.parametrize("name", PUBLISHED_DRAFTERS)
def test_drafter_modules_on_the_meta_device_are_the_table(name):
    config = PUBLISHED_DRAFTERS[name]
    found = {k: tuple(v.shape) for k, v in build_drafter(config).state_dict().items()}
    assert found == {entry.name: entry.shape for entry in tensor_table(config)}
    assert len(found) == (50 if name in ("e2b", "e4b") else 48)


@pytest.mark.parametrize("config", [*PUBLISHED_MODELS.values(), *PUBLISHED_DRAFTERS.values()])
def test_names_are_unique_in_both_formats(config):
    table = tensor_table(config)
    assert len({entry.name for entry in table}) == len(table)
    assert len({entry.gguf_name for entry in table} - {None}) == len(table)


def test_only_borrowing_layers_have_dead_tensors():
    dead = dead_tensor_names(PUBLISHED_MODELS["e2b"])
    assert len(dead) == 20 * 3
    assert dead[0] == (
        "model.language_model.layers.15.self_attn.k_proj.weight",
        "blk.15.attn_k.weight",
    )
    assert dead_tensor_names(PUBLISHED_MODELS["31b"]) == ()


def test_nothing_delicate_may_go_below_its_lowest_precision():
    for config in PUBLISHED_MODELS.values():
        for entry in tensor_table(config):
            if entry.kind is TensorKind.PER_LAYER_TABLE or entry.role is Role.EMBEDDING:
                assert entry.lowest_bits == 6, entry.name
            if entry.role in (Role.ROUTER, Role.VISION, Role.AUDIO, Role.PROJECTOR):
                assert entry.lowest_bits >= 16, entry.name
            if entry.kind in (TensorKind.NORM, TensorKind.SCALE, TensorKind.CLIP_BOUND):
                assert entry.lowest_bits >= 16, entry.name
            if entry.role in (Role.ATTENTION, Role.MLP, Role.EXPERTS):
                assert entry.lowest_bits == 4 or entry.kind is TensorKind.NORM, entry.name


def test_gemma3_norms_are_float32_because_the_file_lacks_their_one():
    entries = tensor_table(PUBLISHED_MODELS["gemma3:270m"])
    norms = [entry for entry in entries if entry.kind is TensorKind.NORM]
    assert len(norms) == 18 * 6 + 1
    assert {(entry.file_offset, entry.dtype) for entry in norms} == {(1.0, "float32")}
