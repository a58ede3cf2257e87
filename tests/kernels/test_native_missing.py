"""An installation that was built without a C++ compiler: torch computes, and that is said."""

import io
import sys
from pathlib import Path

import pytest
import torch
from native_models import shrunk
from tiny_chat import tiny_chat_directory

from gemma4.cli import main
from gemma4.errors import EnvironmentFault
from gemma4.kernels.native import Missing, find_native
from gemma4.llm.native_choice import NativeChoice, choose_native

CPU = torch.device("cpu")
REASON = "the native kernels were not built"
REMEDY = "install a C++ compiler and reinstall gemma4"


@pytest.fixture(autouse=True)
def _not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing them fails as it does where the file is missing."""
    monkeypatch.setitem(sys.modules, "gemma4.kernels._native", None)


def choose(kernels: str) -> NativeChoice:
    return choose_native(shrunk("e2b"), kernels=kernels, device=CPU, dtype="auto")


def test_what_is_missing_comes_with_its_remedy() -> None:
    found = find_native()
    assert isinstance(found, Missing)
    assert found.reason.startswith(REASON)
    assert REMEDY in found.reason


def test_torch_computes_and_a_note_says_why() -> None:
    choice = choose("auto")
    assert choice.native is None
    (note,) = choice.notes
    assert note.startswith(f"computing with torch, which is slower: {REASON}")
    assert REMEDY in note


def test_torch_by_choice_needs_no_note() -> None:
    assert choose("off") == NativeChoice(None)


@pytest.mark.parametrize("kernels", ["portable", "avx2", "neon"])
def test_kernels_asked_for_by_name_are_an_error(kernels: str) -> None:
    with pytest.raises(EnvironmentFault, match=rf"^kernels {kernels} cannot be used: {REASON}.+"):
        choose(kernels)


def test_the_command_line_answers_and_shows_the_note(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    words = ("run", str(tiny_chat_directory()), "Hello", "-n", "2", "-t", "0")
    assert main(words, {"GEMMA4_HOME": str(tmp_path)}) == 0
    shown = capsys.readouterr()
    assert shown.out.strip()
    assert f"computing with torch, which is slower: {REASON}" in shown.err
    assert REMEDY in shown.err
