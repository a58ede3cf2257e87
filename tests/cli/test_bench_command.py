"""`gemma4 bench`: what it prints, what survives Ctrl-C, what it refuses. Speeds themselves are not tested."""

import json
from pathlib import Path

import pytest
from run_cli import Run
from tiny_chat import tiny_chat_directory

from gemma4.cli.bench import steps
from gemma4.llm.benchmark import Bandwidth

SHORT = ("--pp", "40", "--tg", "3", "--rounds", "2")


@pytest.fixture(autouse=True)
def _known_bandwidth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading half a gigabyte proves nothing here."""
    known = Bandwidth(memory=4e9, weights=2e9, measured_bytes=33_554_432)
    monkeypatch.setattr(steps, "measure_bandwidth", lambda *_args, **_options: known)


def model() -> str:
    return str(tiny_chat_directory())


def test_the_json_names_everything_that_was_measured(run: Run) -> None:
    outcome = run(
        "bench", model(), *SHORT, "--kernels", "off", "--depth", "0,70", "-c", "1,2", "--verify", "3",
        "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert outcome.err == ""
    assert outcome.out.count("\n") == 1
    report = json.loads(outcome.out)
    assert {"gemma4", "commit", "machine", "peak_private_bytes", "load_seconds"} <= report.keys()
    assert {"cpu", "cores", "instructions", "memory_bytes", "torch"} <= report["machine"].keys()
    assert report["model"] == "tiny-chat"
    assert report["format"] == "F32"
    assert report["kernels"] == "torch"
    assert report["kv_dtype"] == "float32"
    assert report["threads"] >= 1
    assert report["rounds"] == 2
    assert report["rounds_not_counted"] == 1
    assert not report["interrupted"]
    assert report["step_bytes"] == sum(report["step_bytes_by_format"].values())
    found = [(m["test"], m["tokens"], m["depth"], m["concurrency"]) for m in report["measurements"]]
    assert found == [
        (*test, depth, streams)
        for depth in (0, 70)
        for *test, streams in (("prefill", 40, 1), ("decode", 3, 1), ("decode", 3, 2), ("verify", 3, 1))
    ]  # fmt: skip
    for measured in report["measurements"]:
        assert len(measured["samples"]) == measured["rounds"] == 2
        assert measured["tokens_per_second"] > 0
        assert (measured["first_token_seconds"] is None) == (measured["test"] != "prefill")
        assert (measured["pass_in_steps"] is None) == (measured["test"] != "verify")
        assert "pass_profile_seconds" not in measured


def test_bandwidth_use_is_weights_read_by_measured_bandwidth(run: Run) -> None:
    report = json.loads(run("bench", model(), *SHORT, "--json").out)
    prefill, decode = report["measurements"]
    assert prefill["bandwidth_use"] == {"weights": None, "memory": None}
    # float64; the report gives both factors unrounded
    assert decode["weights_per_second"] == pytest.approx(
        decode["pass_bytes"] / decode["pass_seconds"], rel=1e-12
    )
    assert decode["bandwidth_use"] == pytest.approx(
        {
            "weights": decode["weights_per_second"] / 2e9,
            "memory": decode["weights_per_second"] / 4e9,
        },
        rel=1e-12,
    )


def test_the_table_for_people_and_progress_beside_it(run: Run) -> None:
    outcome = run("bench", model(), *SHORT, "--kernels", "off", "--profile")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert "2, medians; one more before them is not counted" in outcome.out
    assert "any memory 4.0 GB/s, these weights 2.0 GB/s" in outcome.out
    header = next(line for line in lines if line.startswith("TEST"))
    assert header.split() == [
        "TEST", "DEPTH", "STREAMS", "ROUNDS", "TOK/S", "FIRST", "TOKEN", "PASS", "READ", "OF", "WEIGHTS",
        "OF", "MEMORY",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[lines.index(header) + 1 :]] == ["prefill", "decode"]
    assert "prefill 40 at depth 0, 1 at once: " in outcome.err
    assert "warning: --profile shows nothing: torch computes" in outcome.err
    assert "tok/s" not in outcome.out


def test_ctrl_c_prints_whole_rounds_that_were_measured(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_tell", interrupting(at=("decode", 2)))
    outcome = run("bench", model(), *SHORT, "--json")
    assert outcome.code == 130
    report = json.loads(outcome.out)
    assert report["interrupted"]
    assert [(m["test"], m["rounds"]) for m in report["measurements"]] == [
        ("prefill", 2),
        ("decode", 1),
    ]
    assert "interrupted: what follows is what was measured" in outcome.err


def test_ctrl_c_before_anything_was_measured_prints_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "_tell", interrupting(at=("prefill", 1)))
    outcome = run("bench", model(), *SHORT)
    assert outcome.code == 130
    assert outcome.out == ""


def interrupting(*, at: tuple[str, int]):
    def tell(_status: object, job: steps.Job, number: int, _plan: object) -> None:
        if (job.kind, number) == at:
            raise KeyboardInterrupt

    return tell


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--depth", "9000"),
            "a depth of 9000 and what is measured behind it need a context of 9152 tokens and the model "
            "holds 8192; give a smaller depth, or measure less behind it",
        ),
        (("--depth", "0,x"), "--depth 'x' is no number; give numbers by commas, as in 1,2,4"),
        (("--concurrency", "0"), "concurrency 0 is too little; give 1 or more"),
        (("--verify", "1"), "verify 1 is too little; give 2 or more"),
        (("--rounds", "0"), "rounds 0 is too little; give 1 or more"),
        (("--pp", "0", "--tg", "0"), "there is nothing to measure; give a prompt or steps above 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    outcome = run("bench", model(), *SHORT, *words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert f"error: {message}" in outcome.err


def test_an_unknown_model_is_refused(run: Run, tmp_path: Path) -> None:
    outcome = run("bench", str(tmp_path / "missing.gguf"), "--json")
    assert outcome.code == 2
    assert json.loads(outcome.err)["error"]["type"] == "ModelNotFoundError"
