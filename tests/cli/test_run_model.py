"""The model of `gemma4 run` where none is named, and what is said where there is none."""

import io
import sys
from pathlib import Path

import pytest
from run_cli import Run
from stored_models import store_model
from tiny_chat import tiny_chat_directory

from gemma4.cli.run import measure as run_fit
from gemma4.cli.run import model as run_model
from gemma4.cli.run.candidate import Candidate
from gemma4.cli.run.measure import Measured, measure_models
from gemma4.cli.run.model import choose_default, choose_model
from gemma4.cli.run.request import Placing
from gemma4.cli.run.words import RunWords
from gemma4.errors import EnvironmentFault, InputError, ModelNotFoundError
from gemma4.fit.machine import Machine
from gemma4.hub.manifest import Manifest, Source
from gemma4.hub.store import Store

GIGABYTE = 10**9


def candidate(
    name: str, parameters: int, needed: int, *, chats: bool = True, size: int = 1
) -> Candidate:
    manifest = Manifest(
        name=name,
        source=Source(kind="huggingface", location="a/b", revision="f"),
        files=(),
        licence="apache-2.0",
        quantization="BF16" * size,
        pulled="2026-01-02T03:04:05+00:00",
    )
    return Candidate(
        manifest=manifest,
        parameters=parameters,
        chats=chats,
        needed=needed * GIGABYTE,
        available=16 * GIGABYTE,
        fits=needed <= 16,
    )


def choose(
    home: Path, monkeypatch: pytest.MonkeyPatch, *found: Candidate, problems: tuple[str, ...] = ()
) -> tuple[str, str]:
    """Name and reason, of these downloaded models."""
    for each in found:
        store_model(home, each.manifest.name, {"config.json": b"{}"})
    measured = Measured(candidates=found, problems=problems)
    monkeypatch.setattr(run_model, "measure_models", lambda *_: measured)
    chosen = choose_default(Store(home), Placing())
    assert chosen.reason is not None
    return chosen.name, chosen.reason


def test_the_largest_that_fits_is_taken_and_the_reason_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = (candidate("e2b", 5, 11), candidate("31b", 31, 63), candidate("e4b", 8, 16))
    name, reason = choose(home, monkeypatch, *models, problems=("12b (model.safetensors is gone)",))
    assert name == "e4b"
    assert reason == (
        "model: e4b, the largest of 3 downloaded models that fits; it needs 16 GB of 16 GB free; "
        "31b needs 63 GB and does not fit; passed over 12b (model.safetensors is gone)"
    )


def test_of_one_size_the_one_tuned_for_chat_is_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = (candidate("e2b:base", 5, 11, chats=False), candidate("e2b", 5, 11))
    assert choose(home, monkeypatch, *models)[0] == "e2b"


def test_the_only_one_is_called_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, reason = choose(home, monkeypatch, candidate("gemma3:270m", 1, 2, chats=False))
    assert name == "gemma3:270m"
    assert reason == "model: gemma3:270m, the only downloaded model; it needs 2 GB of 16 GB free"


def test_where_nothing_fits_the_offline_default_is_taken(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = (candidate("e2b", 5, 17), candidate("gemma3:270m", 1, 17, chats=False))
    name, reason = choose(home, monkeypatch, *models)
    assert name == "gemma3:270m"
    assert reason == "model: gemma3:270m, the offline default; nothing downloaded fits"


def test_where_nothing_fits_and_no_default_is_there_the_remedies_are_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        choose(home, monkeypatch, candidate("e2b", 5, 17), candidate("31b", 31, 63))
    assert str(caught.value) == (
        "none of the 2 downloaded models fits: e2b needs least, 17 GB, and 16 GB are free; free "
        "memory, give a smaller --ctx, run `gemma4 pull gemma3:270m`, or name a model to try it "
        "anyway"
    )


def test_without_any_model_the_command_that_gets_one_is_named(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    outcome = run("run", "hello there")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == (
        "error: no model is downloaded; run `gemma4 pull gemma3:270m` for a small one, or "
        "`gemma4 fit` to see which larger ones fit this machine\n"
    )


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("e2b", "e2b is not downloaded; run `gemma4 pull e2b`"),
        ("a/b", "a/b is not downloaded; run `gemma4 pull a/b`; if 'a/b' belongs to the prompt"),
        ("./no", "no does not exist; check the path; if './no' belongs to the prompt, name the"),
        ("e3b", "no model is called 'e3b'; did you mean e4b? known: e2b, "),
    ],
)
def test_a_model_that_is_not_there_is_named_with_its_remedy(
    home: Path, model: str, message: str
) -> None:
    words = RunWords(model=model, prompt="", guessed=model != "e2b")
    with pytest.raises(ModelNotFoundError) as caught:
        choose_model(words, Store(home), Placing())
    assert str(caught.value).startswith(message)


def test_models_are_measured_from_their_headers(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tiny_chat_directory()
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    store_model(home, "someone/tiny", files)
    store_model(home, "someone/broken", {"config.json": b"{}"})
    store = Store(home)
    models = store.contents().models
    machine = Machine(total_bytes=2 * GIGABYTE, available_bytes=GIGABYTE)
    monkeypatch.setattr(run_fit, "read_machine", lambda: machine)
    measured = measure_models(models, store, Placing(device="cpu"))
    (found,) = measured.candidates
    assert found.manifest.name == "someone/tiny"
    assert found.chats
    assert found.fits
    # Some 6 million embedding values of 4 bytes, and about 0.6 GB for Python, torch and tokenizer.
    assert 500_000_000 < found.needed < 900_000_000
    assert found.available == GIGABYTE
    (problem,) = measured.problems
    assert problem.startswith("someone/broken (")
    small = Machine(total_bytes=2 * GIGABYTE, available_bytes=GIGABYTE // 4)
    monkeypatch.setattr(run_fit, "read_machine", lambda: small)
    assert not measure_models(models, store, Placing(device="cpu")).candidates[0].fits
    with pytest.raises(InputError, match="dtype 'float8' is unknown"):
        measure_models(models, store, Placing(dtype="float8"))
