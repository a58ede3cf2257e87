"""`gemma4 rm`."""

import json
from pathlib import Path

from run_cli import Run
from stored_models import store_model


def test_removing_says_what_it_freed(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": bytes(5000)})
    outcome = run("rm", "E2B:it")
    assert outcome.code == 0
    assert outcome.err.startswith("removed e2b, 5.")
    assert run("ls", "-q").out == ""


def test_several_are_removed_and_told_as_json(run: Run, home: Path) -> None:
    for name in ("e2b", "a/b"):
        store_model(home, name, {"model.safetensors": b"w"})
    removed = json.loads(run("rm", "e2b", "a/b", "--json").out)
    assert [entry["name"] for entry in removed] == ["e2b", "a/b"]
    assert all(entry["freed_bytes"] > 0 for entry in removed)


def test_what_is_not_there_is_bad_input(run: Run, home: Path) -> None:
    outcome = run("rm", "e2b")
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err == "error: e2b is not downloaded; `gemma4 ls` lists what is\n"
    assert run("rm", "nonsense").code == 2
    assert not home.exists()


def test_a_wrong_name_among_several_removes_nothing(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"w"})
    assert run("rm", "e2b", "nonsense").code == 2
    assert run("ls", "-q").out == "e2b\n"
