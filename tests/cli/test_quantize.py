"""`gemma4 quantize`: what it writes, says and refuses; nothing that looks whole is left of a failure."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from run_cli import Run
from tiny_chat import tiny_chat_directory
from tiny_models import save_tiny

from gemma4.cli.quantize.comparison import read_passage
from gemma4.errors import EnvironmentFault
from gemma4.quant.encode import encode
from gemma4.weights.open_checkpoint import open_checkpoint


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    """A tiny dense model without a tokenizer."""
    return save_tiny("dense31", tmp_path_factory.mktemp("source") / "tiny")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_model_becomes_a_gguf_with_its_projector(run: Run, source: Path, tmp_path: Path) -> None:
    output = tmp_path / "out" / "m.gguf"
    outcome = run("quantize", str(source), "--to", "q8_0", "-o", str(output), "--json")
    assert outcome.code == 0, outcome.err
    assert names(output.parent) == ["m.gguf", "mmproj-m.gguf"]
    report = json.loads(outcome.out)
    assert report["format"] == "q8_0"
    assert [Path(part["path"]).name for part in report["outputs"]] == ["mmproj-m.gguf", "m.gguf"]
    for part in report["outputs"]:
        assert Path(part["path"]).stat().st_size == part["size_bytes"]
    model = report["outputs"][1]["formats"]
    assert model["Q8_0"] == {"tensors": 42, "values": 245_760, "bytes": 261_120}
    assert 8 < report["bits_per_weight"] < 32
    assert any("no tokenizer.json" in note for note in report["notes"])
    compared = report["comparison"]
    assert compared["text"] == "ids spread over the vocabulary"
    assert compared["kl_mean"] < 0.02  # float32 nats; found 0.002 for this random model
    assert compared["top1"] > 0.7


def test_the_report_for_people(run: Run, source: Path, tmp_path: Path) -> None:
    outcome = run("quantize", str(source), "--to", "f32", "-o", str(tmp_path / "m.gguf"))
    assert outcome.code == 0, outcome.err
    assert "32.00 bits per weight" in outcome.out
    assert "mean KL 0.00e+00 nats, largest 0.00e+00, top-1 100.0%" in outcome.out
    assert "m.gguf   " in outcome.err  # progress, off a terminal one line


def test_tokenizer_template_and_settings_come_along(run: Run, tmp_path: Path) -> None:
    output, back = tmp_path / "a" / "m.gguf", tmp_path / "b"
    chat = tiny_chat_directory()
    words = ("quantize", str(chat), "--to", "q8_0", "-o", str(output), "--no-compare", "--json")
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    found = open_checkpoint(output)
    assert found.metadata["tokenizer.chat_template"] == (chat / "chat_template.jinja").read_text()
    assert found.metadata["general.sampling.top_k"] == 64
    assert [found.metadata[f"tokenizer.ggml.{end}_token_id"] for end in ("eos", "eot", "eom")] == [
        1, 106, 50,
    ]  # fmt: skip
    assert found.metadata["general.file_type"] == 7
    assert found.metadata["quantize.source"] == "tiny-chat"
    outcome = run("quantize", str(output), "--to", "f32", "-o", str(back), "--no-compare", "--json")
    assert outcome.code == 0, outcome.err
    assert names(back) == [
        "chat_template.jinja", "config.json", "generation_config.json", "model.safetensors",
        "tokenizer.json",
    ]  # fmt: skip
    settings = json.loads((back / "generation_config.json").read_text())
    assert (settings["temperature"], settings["eos_token_id"]) == (1.0, [1, 106, 50])
    assert json.loads(outcome.out)["comparison"] is None


def test_files_beside_the_weights_are_copied_to_a_directory(run: Run, tmp_path: Path) -> None:
    chat = tmp_path / "chat"
    shutil.copytree(tiny_chat_directory(), chat)
    (chat / "LICENSE").write_text("terms")
    outcome = run(
        "quantize", str(chat), "--to", "w4a16", "-o", str(tmp_path / "to"), "--no-compare"
    )
    assert outcome.code == 0, outcome.err
    copied = {"LICENSE", "chat_template.jinja", "generation_config.json", "tokenizer.json"}
    assert set(names(tmp_path / "to")) == copied | {"config.json", "model.safetensors"}


def test_text_only_leaves_the_projector_out(run: Run, source: Path, tmp_path: Path) -> None:
    outcome = run(
        "quantize", str(source), "--to", "q4_0", "-o", str(tmp_path / "m.gguf"), "--text-only", "--json"
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert names(tmp_path) == ["m.gguf"]
    assert any("pictures and sound were left out" in n for n in json.loads(outcome.out)["notes"])
    outcome = run("quantize", str(source), "--to", "bf16", "-o", str(tmp_path / "d"), "--text-only")
    assert (outcome.code, "drop --text-only" in outcome.err) == (2, True)


def test_a_drafter_is_not_compared_and_loses_its_ordered_head(run: Run, tmp_path: Path) -> None:
    drafter = save_tiny("drafter_ordered", tmp_path / "from")
    outcome = run(
        "quantize", str(drafter), "--to", "q8_0", "-o", str(tmp_path / "d.gguf"), "--json"
    )
    assert outcome.code == 0, outcome.err
    report = json.loads(outcome.out)
    assert report["comparison"] is None
    assert "not compared: a drafter answers nothing by itself" in outcome.err
    assert any("ordered head were left out" in note for note in report["notes"])


def test_a_dry_run_says_all_and_writes_nothing(run: Run, source: Path, tmp_path: Path) -> None:
    outcome = run(
        "quantize", str(source), "--to", "q4_k_m", "-o", str(tmp_path / "x" / "m.gguf"), "--dry-run"
    )
    assert outcome.code == 0, outcome.err
    assert "nothing was written" in outcome.out
    assert "are Q5_0 instead of Q4_K: their rows of 64" in outcome.err
    assert names(tmp_path) == []


def test_the_users_text_is_read_before_anything_is_written(
    run: Run, source: Path, tmp_path: Path
) -> None:
    text, output = tmp_path / "text.txt", tmp_path / "m.gguf"
    text.write_bytes(b"\xff\xfe")
    for model, message in (
        (tiny_chat_directory(), "give a UTF-8 text file"),
        (source, "came with no tokenizer"),
    ):
        outcome = run(
            "quantize", str(model), "--to", "q8_0", "-o", str(output), "--calibration-text", str(text)
        )  # fmt: skip
        assert outcome.code == 2
        assert message in outcome.err
    assert names(tmp_path) == ["text.txt"]


def test_a_long_text_is_cut_and_that_is_said(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("Twelve words about nothing. " * 200)
    checkpoint = open_checkpoint(tiny_chat_directory())
    passage = read_passage(checkpoint, text)
    assert len(passage.ids) == 512
    assert passage.name == f"the first 512 tokens of {text}"
    assert read_passage(checkpoint, None).name == "the built-in passage"


def test_what_is_there_is_not_replaced_unless_forced(
    run: Run, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "m.gguf"
    output.write_bytes(b"mine")
    words = ("quantize", str(source), "--to", "q8_0", "-o", str(output), "--no-compare")
    outcome = run(*words)
    assert outcome.code == 2
    assert "m.gguf exists; choose another name, or give --force" in outcome.err
    assert output.read_bytes() == b"mine"
    assert run(*words, "--force").code == 0
    assert open_checkpoint(output).config.text.num_layers == 6
    assert run(*words, "--force").code == 0  # its own projector is no stranger


def test_a_directory_is_replaced_only_if_it_is_a_checkpoint(
    run: Run, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "to"
    words = ("quantize", str(source), "--to", "bf16", "-o", str(output), "--no-compare")
    output.mkdir()
    assert run(*words).code == 0  # an empty one may be filled
    outcome = run(*words)
    assert (outcome.code, "exists and is not empty" in outcome.err) == (2, True)
    (output / "old.json").write_text("{}")
    assert run(*words, "--force").code == 0
    assert names(output) == ["config.json", "generation_config.json", "model.safetensors"]
    (output / "photos").mkdir()
    outcome = run(*words, "--force")
    assert (outcome.code, "is no checkpoint directory" in outcome.err) == (2, True)
    assert (output / "photos").is_dir()
    assert names(tmp_path) == ["to"]


def test_the_source_is_never_written_over(run: Run, source: Path, tmp_path: Path) -> None:
    outcome = run("quantize", str(source), "--to", "bf16", "-o", str(source), "--force")
    assert (outcome.code, "holds the source itself" in outcome.err) == (2, True)
    output = tmp_path / "m.gguf"
    assert run("quantize", str(source), "--to", "f32", "-o", str(output), "--no-compare").code == 0
    outcome = run("quantize", str(output), "--to", "q8_0", "-o", str(output), "--force")
    assert (outcome.code, "is the source itself" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("to", "output", "message"),
    [
        ("q9_9", "m.gguf", "format 'q9_9' is unknown; known: f32, f16"),
        ("q4_0", "folder", "q4_0 is a format of GGUF files; give an output that ends in .gguf"),
        ("w4a16", "m.gguf", "w4a16 is no GGUF format; give a directory"),
    ],
)
def test_formats_and_outputs_that_do_not_go_together(
    run: Run, source: Path, tmp_path: Path, to: str, output: str, message: str
) -> None:
    outcome = run("quantize", str(source), "--to", to, "-o", str(tmp_path / output))
    assert outcome.code == 2
    assert message in outcome.err
    assert names(tmp_path) == []


def test_a_strange_projector_in_the_folder_is_refused(
    run: Run, source: Path, tmp_path: Path
) -> None:
    (tmp_path / "mmproj-other.gguf").write_bytes(b"x")
    outcome = run("quantize", str(source), "--to", "q8_0", "-o", str(tmp_path / "m.gguf"))
    assert outcome.code == 2
    assert "has the projector mmproj-other.gguf, and beside two" in outcome.err


def test_a_quantized_source_needs_the_flag(run: Run, source: Path, tmp_path: Path) -> None:
    first = tmp_path / "a" / "m.gguf"
    assert run("quantize", str(source), "--to", "q8_0", "-o", str(first), "--no-compare").code == 0
    words = ("quantize", str(first), "--to", "q4_0", "-o", str(tmp_path / "b" / "m.gguf"))
    outcome = run(*words)
    assert outcome.code == 2
    assert "is quantized already" in outcome.err
    assert "--requantize" in outcome.err
    outcome = run(*words, "--requantize", "--json")
    assert outcome.code == 0, outcome.err
    notes = json.loads(outcome.out)["notes"]
    assert any(note.startswith("quantized a second time") for note in notes)


@pytest.mark.parametrize("output", ["m.gguf", "folder"])
def test_a_full_disk_leaves_nothing(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    to = "q8_0" if output.endswith("gguf") else "bf16"
    outcome = run("quantize", str(source), "--to", to, "-o", str(tmp_path / "out" / output))
    assert outcome.code == 1
    assert "No space left on device; free some space" in outcome.err
    assert names(tmp_path / "out") == []


@pytest.mark.parametrize("output", ["m.gguf", "folder"])
def test_a_disk_that_is_too_small_is_refused_first(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=64 << 20))
    to = "q8_0" if output.endswith("gguf") else "bf16"
    outcome = run("quantize", str(source), "--to", to, "-o", str(tmp_path / output))
    assert outcome.code == 1
    assert "bytes are needed, 67,108,864 are free; free some or choose another" in outcome.err
    assert names(tmp_path) == []


@pytest.mark.parametrize("output", ["m.gguf", "folder"])
def test_an_interrupt_leaves_nothing(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    calls = 0

    def encode_some(*arguments: Any, **settings: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 20:  # well inside the data of the file
            raise KeyboardInterrupt
        return encode(*arguments, **settings)

    for module in ("gguf_file", "directory"):
        monkeypatch.setattr(f"gemma4.weights.quantize.{module}.encode", encode_some)
    to = "q8_0" if output.endswith("gguf") else "bf16"
    outcome = run("quantize", str(source), "--to", to, "-o", str(tmp_path / "out" / output))
    assert outcome.code == 130
    assert "was not written" in outcome.err
    assert names(tmp_path / "out") == []


def test_too_little_memory_to_compare_is_told_and_the_file_stays(
    run: Run, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise EnvironmentFault("it does not fit in memory; take a smaller model")

    monkeypatch.setattr("gemma4.cli.quantize.steps.compare", fail)
    output = tmp_path / "m.gguf"
    outcome = run("quantize", str(source), "--to", "q8_0", "-o", str(output), "--json")
    assert outcome.code == 0
    assert "warning: not compared: it does not fit in memory" in outcome.err
    assert json.loads(outcome.out)["comparison"] is None
    assert output.exists()
