"""`threads` on its way from `load` and the comparison to whoever computes."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tiny_chat import tiny_chat_directory

import gemma4
from gemma4.errors import InputError
from gemma4.kernels import native
from gemma4.kernels.native import Native, find_native

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(autouse=True)
def _torch_as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("kernels", ["auto", "off"])
def test_as_many_threads_compute_as_were_asked_for(kernels: str) -> None:
    """Native kernels where there are some, and torch."""
    llm = gemma4.load(tiny_chat_directory(), context=128, kernels=kernels, threads=3)
    assert (llm.info.threads, torch.get_num_threads()) == (3, 3)


@pytest.mark.parametrize("threads", [0, -2])
@pytest.mark.parametrize("kernels", ["auto", "off"])
def test_fewer_than_one_are_refused(kernels: str, threads: int) -> None:
    before = torch.get_num_threads()
    with pytest.raises(InputError, match=f"^threads is {threads}; give 1 or more"):
        gemma4.load(tiny_chat_directory(), kernels=kernels, threads=threads)
    assert torch.get_num_threads() == before


def test_unless_told_kernels_take_the_usable_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "usable_cores", lambda: 5)
    found = find_native()
    if not isinstance(found, Native):
        pytest.skip(found.reason)
    assert found.num_threads == 5


def test_the_comparison_refuses_other_threads_than_its_peers_have(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(BENCH)
    import ours

    assert ours.open_driver(tiny_chat_directory(), threads=2, context=128).engine.is_idle
    other = SimpleNamespace(info=SimpleNamespace(threads=8))
    monkeypatch.setattr(ours.gemma4, "load", lambda *_args, **_options: other)
    with pytest.raises(SystemExit, match="8 threads compute and 2 were asked for"):
        ours.open_llm(tiny_chat_directory(), threads=2)
