"""`gemma4 verify`: tables, JSON and exit codes. The figures are tested in tests/verify."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from faulty_checkpoints import faulty_copy
from run_cli import Run
from tiny_loaded import checkpoint_directory


def test_agreement_with_transformers_prints_a_table_and_exits_with_0(run: Run) -> None:
    path = str(checkpoint_directory("moe"))
    outcome = run("verify", path, "--against", "transformers", "--quick", "--device", "cpu")
    assert outcome.code == 0, outcome.err
    lines = outcome.out.splitlines()
    assert lines[0].startswith("gemma4 (gemma4-moe-")
    assert lines[1].startswith("against transformers (gemma4-moe-")
    assert "same weights, computed in float32" in lines[2]
    assert [line.split("  ")[0] for line in lines[5:]] == [
        "text", "image", "several images", "video",
    ]  # fmt: skip
    assert all(line.endswith("ok") for line in lines[5:])
    assert "note: no tokenizer came along, so the ids are random" in outcome.err
    assert "Loading weights" not in outcome.err  # transformers' own bar


def test_a_fault_exits_with_1_and_shows_the_layers(run: Run, tmp_path: Path) -> None:
    bad = faulty_copy(
        "dense31", tmp_path / "bad", {"layers.3.layer_scalar": lambda values: values * 2}
    )
    good = str(checkpoint_directory("dense31"))
    outcome = run("verify", str(bad), "--against", good, "--only", "text", "--quick")
    assert outcome.code == 1
    error = outcome.err.splitlines()[-1]
    assert error.startswith("error: gemma4 (bad, float32, cpu) and gemma4 (")
    assert "do not agree: text: logit difference" in error
    assert "first differing layer: layer 3 (sliding) DIFF" in error
    table = dict(re.split(r"   +", line.strip())[:2] for line in outcome.out.splitlines()[-8:])
    assert table == {
        "embedding": "OK",
        "layer 0 (sliding)": "OK",
        "layer 1 (sliding)": "OK",
        "layer 2 (sliding)": "OK",
        "layer 3 (sliding)": "DIFF",
        "layer 4 (sliding)": "DIFF",
        "layer 5 (full)": "DIFF",
        "final norm": "DIFF",
    }


def test_two_pictures_that_give_the_same_logits_exit_with_1(run: Run, tmp_path: Path) -> None:
    blind = str(
        faulty_copy(
            "moe",
            tmp_path / "blind",
            {"embed_vision.embedding_projection.weight": torch.zeros_like},
        )
    )
    outcome = run("verify", blind, "--against", blind, "--only", "image")
    assert outcome.code == 1
    assert "does not take in image" in outcome.err


def test_json_holds_everything_and_stands_alone(run: Run, tmp_path: Path) -> None:
    bad = faulty_copy("gemma3_text", tmp_path / "bad", {"model.norm.weight": lambda v: v * 2})
    good = str(checkpoint_directory("gemma3_text"))
    outcome = run("verify", str(bad), "--against", good, "--json", "--quick")
    assert outcome.code == 1
    report = json.loads(outcome.out)
    assert report["passed"] is False
    (probe,) = report["probes"]
    assert probe["name"] == "text"
    assert probe["first_differing_layer"] == "final norm"
    assert set(probe["divergence"]) == {
        "rows", "largest", "relative", "kl_mean", "kl_max", "top1", "first_row",
    }  # fmt: skip
    assert json.loads(outcome.err)["error"]["exit_code"] == 1


def test_limits_can_be_given(run: Run, tmp_path: Path) -> None:
    bad = faulty_copy("gemma3_text", tmp_path / "bad", {"model.norm.weight": lambda v: v * 1.01})
    words = ("verify", str(bad), "--against", str(checkpoint_directory("gemma3_text")), "--quick")
    assert run(*words).code == 1
    loose = run(*words, "--tolerance", "0.9", "--kl", "1", "--top1", "0", "--layers")
    assert loose.code == 0, loose.err
    assert "limits given" in loose.out
    assert "final norm" in loose.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "Missing option '--against'"),
        (("--against", "transformers", "--top1", "2"), "less than or equal to 1"),
        (("--against", "e9b"), "e9b"),
        (("--against", "e2b"), "run `gemma4 pull e2b`"),
        (("--against", "transformers", "--only", "audio"), "audio cannot be compared"),
        (("--against", "transformers", "--dtype", "int4"), "dtype 'int4' is unknown"),
        (("--against", "./absent.gguf"), "absent.gguf does not exist"),
        (("--against", "transformers", "--prompt", "hello"), "no tokenizer to read it with"),
    ],
)
def test_bad_input_exits_with_2(run: Run, words: tuple[str, ...], message: str) -> None:
    outcome = run("verify", str(checkpoint_directory("gemma3_text")), *words)
    assert outcome.code == 2, outcome.err
    assert message in outcome.err
    assert outcome.out == ""


def test_a_machine_without_transformers_exits_with_1(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    path = str(checkpoint_directory("gemma3_text"))
    outcome = run("verify", path, "--against", "transformers")
    assert outcome.code == 1
    assert "run `pip install transformers==5.23.0`" in outcome.err


def test_help_has_examples(run: Run) -> None:
    outcome = run("verify", "-h")
    assert outcome.code == 0
    assert "gemma4 verify e2b --against transformers" in outcome.out
