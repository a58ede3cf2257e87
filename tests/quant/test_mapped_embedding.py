"""A lookup in a table on disk gives its rows and leaves the rest of the table on disk."""

import json
import os
import struct
import tracemalloc

import psutil
import pytest
import torch
from safetensors.torch import save_file

from gemma4.errors import InputError
from gemma4.quant import MappedEmbedding
from gemma4.weights.huggingface.safetensors_files import open_safetensors


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.safetensors"
    save_file({"table": torch.randn(50, 8).to(torch.bfloat16)}, path)
    return open_safetensors(path).tensors["table"]


def test_it_is_an_embedding(table):
    """Against torch's own, in both types; exact."""
    ids = torch.tensor([[3, 49, 0], [3, 1, 2]])
    module = MappedEmbedding(table, torch.float32)
    expected = torch.nn.functional.embedding(ids, table.read(torch.float32))
    assert torch.equal(module(ids), expected)
    assert module(ids, torch.bfloat16).dtype == torch.bfloat16
    assert torch.equal(module(ids, torch.bfloat16), table.read()[ids])


def test_it_has_nothing_to_save_or_move(table):
    module = MappedEmbedding(table, torch.float32).to(torch.float16)
    assert module.state_dict() == {}
    assert list(module.parameters()) == []
    assert module(torch.tensor([1])).dtype == torch.float32
    assert repr(module) == "MappedEmbedding(50 × 8, torch.float32, on disk)"


def test_an_unknown_id_is_refused(table):
    with pytest.raises(InputError, match="row 50 of table does not exist: it has 50 rows"):
        MappedEmbedding(table, torch.float32)(torch.tensor([0, 50]))


@pytest.mark.parametrize("padding", [0, 1], ids=["aligned", "misaligned"])
def test_a_lookup_touches_only_its_rows(tmp_path, padding):
    """A table of 4.4 GiB (E2B's shape): 200 lookups cost some pages each, far from the whole."""
    rows, columns = 262_144, 8960
    size = rows * columns * 2
    entry = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [0, size]}
    header = json.dumps({"table": entry}).encode()
    header += b" " * (-len(header) % 8 + padding)
    path = tmp_path / "big.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    os.truncate(path, 8 + len(header) + size)  # sparse: it takes no disk

    module = MappedEmbedding(open_safetensors(path).tensors["table"], torch.float32)
    process = psutil.Process()
    before = process.memory_info().rss
    tracemalloc.start()
    for start in range(0, rows, rows // 200):
        assert module(torch.tensor([start])).shape == (1, columns)
    copied = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert copied < 1 << 20
    assert process.memory_info().rss - before < 32 << 20
