"""How a model on disk is loaded: the context that fits, what the memory lacks, and that it is given back."""

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_chat import tiny_chat_directory, tiny_drafter_directory

from gemma4.errors import CheckpointError, ModelNotFoundError
from gemma4.fit.machine import Machine
from gemma4.hub.store import Store
from gemma4.serve import loading as loading_module
from gemma4.serve.loading import DiskLoader
from gemma4.serve.settings import Loading
from gemma4.serve.shelf import Shelf

MIB = 2**20


def shelf(tmp_path: Path, *named: str) -> Shelf:
    return Shelf(Store(tmp_path), named)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[Machine]:
    """The machine that is found; a test puts another in its place."""
    found = [Machine(total_bytes=64 * 2**30, available_bytes=64 * 2**30)]
    monkeypatch.setattr(loading_module, "read_machine", lambda: found[0])
    return found


def test_the_whole_context_where_there_is_room(tmp_path: Path, machine: list[Machine]) -> None:
    known = shelf(tmp_path, str(tiny_chat_directory())).named[0]
    measure = DiskLoader(Store(tmp_path), Loading(parallel=4)).measure(known)
    assert (known.id, measure.context, measure.longest) == ("tiny-chat", 8192, 8192)
    assert measure.fits
    assert machine


def test_less_where_there_is_little_but_as_much_as_one_request_can_have(
    tmp_path: Path, machine: list[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    known = shelf(tmp_path, str(tiny_chat_directory())).named[0]
    loader = DiskLoader(Store(tmp_path), Loading(parallel=64, kernels="off"))
    most = loader.measure(known).needed
    machine[0] = replace(machine[0], available_bytes=0)
    least = loader.measure(known).needed
    machine[0] = replace(machine[0], available_bytes=(least + most) // 2)
    monkeypatch.setattr(loading_module, "LEAST_CONTEXT", 100)
    crowded = loader.measure(known).context
    monkeypatch.setattr(loading_module, "LEAST_CONTEXT", 2000)
    assert 100 <= crowded < 2000
    assert loader.measure(known).context == 2000  # requests wait for each other's pages
    monkeypatch.setattr(loading_module, "LEAST_CONTEXT", 8192)
    alone = loader.measure(known)
    assert 2000 < alone.context < 8192
    assert alone.fits


def test_what_the_memory_lacks_is_told_with_both_numbers(
    tmp_path: Path, machine: list[Machine]
) -> None:
    known = shelf(tmp_path, str(tiny_chat_directory())).named[0]
    loader = DiskLoader(Store(tmp_path), Loading())
    assert loader.lacking(known) is None
    machine[0] = Machine(total_bytes=2**30, available_bytes=50 * MIB)
    lacking = loader.lacking(known)
    assert lacking is not None
    assert "0.0 GiB are free" in lacking
    assert "tiny-chat needs 0." in lacking


def test_it_is_loaded_as_it_was_measured(tmp_path: Path) -> None:
    known = shelf(tmp_path, str(tiny_chat_directory())).named[0]
    llm = DiskLoader(Store(tmp_path), Loading(parallel=3, context=512)).load(known)
    assert (llm.info.context, llm.info.max_requests) == (512, 3)


def test_a_drafter_is_no_model(tmp_path: Path) -> None:
    known = shelf(tmp_path, str(tiny_drafter_directory())).named[0]
    with pytest.raises(CheckpointError, match="is a drafter"):
        DiskLoader(Store(tmp_path), Loading()).measure(known)


def test_what_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="gemma4 pull e2b"):
        shelf(tmp_path, "e2b")
    assert shelf(tmp_path).find("e2b") is None
    assert shelf(tmp_path).find(str(tiny_chat_directory())) is None
