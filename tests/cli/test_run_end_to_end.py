"""`gemma4 run` with a real tokenizer, template and loader; only the weights are tiny and random."""

import io
import json
import sys
from pathlib import Path

import pytest
from run_cli import Run
from tiny_chat import tiny_base_directory, tiny_chat_directory

MEDIA = Path(__file__).parents[1] / "data" / "media"


@pytest.fixture(autouse=True)
def _empty_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))


def test_a_photograph_a_recording_and_a_clip_pass_through(run: Run) -> None:
    outcome = run(
        *("run", str(tiny_chat_directory()), "What", "is", f"{MEDIA}/photo.jpg?", "--json"),
        *("--audio", str(MEDIA / "speech.ogg"), "--video", str(MEDIA / "clip.mp4")),
        *("--image-budget", "70", "-t", "0", "-n", "4"),
    )
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert [medium["kind"] for medium in found["usage"]["media"]] == ["audio", "video", "image"]
    assert found["usage"]["media"][2]["soft_tokens"] <= 70
    total = sum(medium["soft_tokens"] for medium in found["usage"]["media"])
    assert found["usage"]["prompt_tokens"] > total
    assert found["usage"]["completion_tokens"] == 4
    assert found["text"]
    assert found["finish_detail"] == "the limit of 4 tokens was reached"
    assert found["template"].startswith("small.2026-07@")
    assert found["sampling"]["top_k"] == 64  # of generation_config.json
    assert (found["model"], found["device"], found["dtype"]) == ("tiny-chat", "cpu", "float32")


def test_a_base_model_continues_what_is_piped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"Once upon a time\n")))
    outcome = run("run", str(tiny_base_directory()), "-n", "3", "--seed", "1", "-v")
    assert outcome.code == 0
    assert outcome.out.strip()
    assert outcome.out.endswith("\n")
    lines = outcome.err.splitlines()
    assert "tiny-base is a base model: it continues the text, without a chat template" in lines
    assert (
        "warning: the answer is not complete (length): the limit of 3 tokens was reached" in lines
    )
    # <bos> and the words; no turn around them.
    assert any(line.startswith("prompt     5 tokens in ") for line in lines)
    assert "template   none: plain completion" in lines


def test_a_context_that_does_not_hold_the_prompt_is_refused(run: Run) -> None:
    outcome = run("run", str(tiny_chat_directory()), "word " * 50, "--ctx", "32")
    assert (outcome.code, outcome.out) == (2, "")
    refusal = outcome.err.splitlines()[-1]  # behind the note on what computes
    assert refusal.startswith("error: the prompt has ")
    assert "and the context holds 32" in refusal
