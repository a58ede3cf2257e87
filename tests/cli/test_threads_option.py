"""`--threads` on its way to `load`."""

import io
import sys
from pathlib import Path

import pytest
from run_cli import Run
from tiny_chat import tiny_chat_directory

from gemma4.cli.run.model import ChosenModel, load_chosen
from gemma4.cli.run.request import Placing
from gemma4.errors import InputError
from gemma4.hub.store import Store
from gemma4.llm import load as load_module


def test_the_option_of_run_reaches_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr(load_module, "load", lambda _name, **options: seen.update(options))
    load_chosen(ChosenModel(name="e2b", path=tmp_path), Store(tmp_path), Placing(threads=7))
    assert seen["threads"] == 7


@pytest.mark.parametrize("words", [("run", "-m"), ("bench",)])
def test_the_command_line_refuses_none(
    run: Run, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    prompt = ["Hi"] if "run" in words else []
    outcome = run(*words, str(tiny_chat_directory()), *prompt, "--threads", "0")
    assert (outcome.code, outcome.out) == (2, "")
    assert "threads is 0; give 1 or more" in outcome.err


def test_the_option_of_bench_reaches_load(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def load(_name: str, **options: object) -> None:
        asked.append(options["threads"])
        raise InputError("seen")

    monkeypatch.setattr(load_module, "load", load)
    assert run("bench", "e2b", "--threads", "6").code == 2
    assert asked == [6]
