"""`gemma4 tokenize`."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from run_cli import Run

from gemma4.text.tokens import packaged
from gemma4.text.tokens.tokenizer import Tokenizer

Typed = Callable[[bytes], None]


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """Sets what standard input holds."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.fixture(scope="module")
def gemma4_tokenizer() -> Tokenizer:
    """The packaged tokenizer, unpacked once: it takes a second."""
    return packaged.packaged_tokenizer()


@pytest.fixture(autouse=True)
def _load_it_once(gemma4_tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packaged, "packaged_tokenizer", lambda: gemma4_tokenizer)


def test_the_built_in_tokenizer_needs_no_model(run: Run) -> None:
    outcome = run("tokenize", "Hello world")
    assert (outcome.code, outcome.out, outcome.err) == (0, "9259 1902\n", "")


def test_stdin_is_taken_byte_for_byte(run: Run, typed: Typed) -> None:
    typed(b"Hello world\n")
    assert run("tokenize").out == "9259 1902 107\n"


def test_count_and_json(run: Run) -> None:
    assert run("tokenize", "-c", "Hello world").out == "2\n"
    found = json.loads(run("tokenize", "--json", "Hello world").out)
    assert found == {
        "tokenizer": "gemma4",
        "count": 2,
        "ids": [9259, 1902],
        "pieces": ["Hello", " world"],
    }
    counted = json.loads(run("tokenize", "--json", "--count", "Hello world").out)
    assert counted == {"tokenizer": "gemma4", "count": 2}


def test_control_tokens_are_text_unless_asked_for(run: Run) -> None:
    assert len(run("tokenize", "<|turn>").out.split()) > 1
    assert run("tokenize", "--special", "<|turn>").out == "105\n"
    assert "special" in run("tokenize", "--special", "--pieces", "<|turn>").out


def test_bytes_that_are_no_text_are_bad_input(run: Run, typed: Typed) -> None:
    typed(b"ab\xff")
    outcome = run("tokenize", "-")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: byte 2 of stdin is no UTF-8 (0xff); convert the text first, for example with "
        "iconv\n"
    )


def test_a_terminal_without_text_is_asked_for_it(
    run: Run, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(b"")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    outcome = run("tokenize")
    assert outcome.code == 2
    assert "no text: give it as an argument or through a pipe" in outcome.err


def test_a_model_that_is_not_there_names_the_command(run: Run) -> None:
    outcome = run("tokenize", "--model", "e2b", "x")
    assert outcome.code == 2
    assert "run `gemma4 pull e2b`" in outcome.err


def test_a_directory_that_is_no_model_is_bad_input(run: Run, tmp_path: Path) -> None:
    outcome = run("tokenize", "--model", str(tmp_path), "x")
    assert outcome.code == 2
    assert str(tmp_path) in outcome.err


def test_a_models_own_tokenizer_is_used(run: Run, tmp_path: Path) -> None:
    """Only the tokenizer's file is needed; here Gemma 4's own."""
    (tmp_path / "tokenizer.json").write_bytes(packaged.packaged_tokenizer_json())
    outcome = run("tokenize", "--json", "--count", "--model", str(tmp_path), "Hello world")
    assert json.loads(outcome.out) == {"tokenizer": str(tmp_path), "count": 2}
