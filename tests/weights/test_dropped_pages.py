"""Pages of the file leave memory once their values are copied, and never under a view."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from gemma4.weights.huggingface.safetensors_files import open_safetensors
from gemma4.weights.mapped_file import drop_pages, map_file

ROWS, COLUMNS = 4096, 4096
NBYTES = 2 * ROWS * COLUMNS  # 32 MiB in bfloat16
SLACK = 2 * 2**20  # code pages that the first call touches


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pages") / "model.safetensors"
    save_file({"a": torch.ones(7), "b": torch.ones(ROWS, COLUMNS).bfloat16()}, path)
    return path


def measure(path: Path, way: str) -> dict[str, int]:
    script = Path(__file__).with_name("pages_in_memory.py")
    words = [sys.executable, str(script), str(path), "b", way]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("way", ["converted", "rows"])
def test_a_copy_leaves_none_of_the_files_pages_in_memory(path: Path, way: str) -> None:
    found = measure(path, way)
    assert found["file"] <= NBYTES // 4  # code of libraries, touched for the first time
    assert found["memory"] >= (2 * NBYTES if way == "converted" else NBYTES // 2) - SLACK


def test_rows_read_by_address_are_let_go_when_told(path: Path) -> None:
    assert measure(path, "address")["file"] <= NBYTES // 4


def test_a_tensor_in_place_keeps_its_pages(path: Path) -> None:
    assert measure(path, "in-place")["file"] >= NBYTES - SLACK


def test_what_was_written_to_a_view_survives_a_conversion(path: Path) -> None:
    stored = open_safetensors(path).tensors["b"]
    view = stored.read()
    view[5, 5] = 7
    assert stored.read(torch.float32)[5, 5] == 7
    assert view[5, 5] == 7
    stored.rows(torch.tensor([1]))
    assert view[5, 5] == 7


def test_a_view_that_is_gone_holds_nothing_back(path: Path) -> None:
    stored = open_safetensors(path).tensors["b"]
    stored.read()[5, 5] = 7
    stored.read(torch.float32)
    assert stored.read()[5, 5] == 1  # read from the file again


def test_pages_at_the_ends_that_others_share_stay(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(5 * 4096))
    data = map_file(path)
    data[:] = 1
    drop_pages(data[100 : 4 * 4096 + 100])
    assert set(data[:4096].tolist()) == {1}
    assert set(data[4096 : 4 * 4096].tolist()) == {0}
    assert set(data[4 * 4096 :].tolist()) == {1}


def test_ordinary_memory_is_left_alone() -> None:
    values = torch.ones(10_000, dtype=torch.uint8).numpy()
    drop_pages(values)
    assert values.sum() == 10_000
