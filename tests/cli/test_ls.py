"""`gemma4 ls`."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from run_cli import Run
from stored_models import store_model

from gemma4.cli.ls import format_age


def test_an_empty_store_says_how_to_begin(run: Run, home: Path) -> None:
    outcome = run("ls")
    assert (outcome.code, outcome.out) == (0, "")
    assert str(home) in outcome.err
    assert "gemma4 pull gemma3:270m" in outcome.err
    assert run("ls", "--json").out == "[]\n"


def test_models_are_listed_by_name_with_size_and_quantization(run: Run, home: Path) -> None:
    store_model(home, "e4b:qat-q4_0", {"gemma-4-E4B-q4_0.gguf": bytes(1500)})
    store_model(home, "e2b", {"config.json": b'{"dtype": "bfloat16"}', "model.safetensors": b"w"})
    lines = run("ls").out.splitlines()
    assert lines[0].split() == ["NAME", "ID", "SIZE", "QUANT", "MODIFIED"]
    assert lines[1].split()[0] == "e2b"
    assert "22 B   " in lines[1]
    assert "BF16" in lines[1]
    assert lines[2].split()[0] == "e4b:qat-q4_0"
    assert "1.5 kB   Q4_0   " in lines[2]
    assert lines[2].endswith(" ago")


def test_quiet_lists_names_only(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"w"})
    assert run("ls", "-q").out == "e2b\n"


def test_json_carries_source_and_revision(run: Run, home: Path) -> None:
    manifest = store_model(home, "e2b", {"model.safetensors": b"w"})
    (entry,) = json.loads(run("ls", "--json").out)
    assert entry["name"] == "e2b"
    assert entry["id"] == manifest.id
    assert len(entry["id"]) == 12
    assert entry["size_bytes"] == 1
    assert entry["revision"] == "f" * 40


def test_a_damaged_folder_is_warned_about_and_the_others_are_listed(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"w"})
    (home / "models" / "broken").mkdir()
    outcome = run("ls", "-q")
    assert outcome.out == "e2b\n"
    assert outcome.err.startswith("warning: ")
    assert "broken" in outcome.err


@pytest.mark.parametrize(
    ("age", "text"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(seconds=-5), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=5), "5 hours ago"),
        (timedelta(days=1), "1 day ago"),
        (timedelta(days=20), "2 weeks ago"),
        (timedelta(days=800), "2 years ago"),
    ],
)
def test_ages_are_in_words(age: timedelta, text: str) -> None:
    assert format_age(age) == text
