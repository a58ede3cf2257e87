"""Run `gemma4` in this process, with an environment of its own."""

from pathlib import Path

import pytest
from run_cli import Outcome, Run

from gemma4.cli import main


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The local store's folder."""
    return tmp_path / "home"


@pytest.fixture
def run(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """`run("ls", "--json", HF_ENDPOINT=…)`."""

    def invoke(*words: str, **environ: str) -> Outcome:
        code = main(words, {"GEMMA4_HOME": str(home), **environ})
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return invoke
