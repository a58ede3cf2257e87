"""How `gemma4 run` is to answer: how long it thinks, and what the answer looks like."""

import json
import sys
from pathlib import Path

import pytest
from run_cli import Run
from scripted_llm import ScriptedLLM

from gemma4.cli.run import steps as run_steps
from gemma4.cli.run.think import spell_out_think
from gemma4.grammar.formats import JsonObject, JsonSchema


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ScriptedLLM:
    """A model that `gemma4 run ./model` gets."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)  # as where there is none
    model = ScriptedLLM()
    monkeypatch.setattr(run_steps, "load_chosen", lambda *_: model)
    return model


@pytest.mark.parametrize(
    ("words", "thinking", "budget", "prompt"),
    [
        (["x"], False, None, "x"),
        (["--think", "x"], True, None, "x"),
        (["x", "--think"], True, None, "x"),
        (["--think", "low", "x"], True, 1024, "x"),
        (["x", "--think=HIGH"], True, 16384, "x"),
        (["--think", "off", "x"], False, None, "x"),
        (["--think=none", "x"], False, None, "x"),
        (["--think", "--", "low", "tide"], True, None, "low tide"),
    ],
)
def test_a_word_says_how_long_to_think(
    run: Run, llm: ScriptedLLM, words: list[str], thinking: bool, budget: int | None, prompt: str
) -> None:
    assert run("run", "-m", "./model", *words).code == 0
    asked = llm.asked[-1]
    assert (asked["thinking"], asked["thought_budget"]) == (thinking, budget)
    assert asked["messages"][-1].text == prompt


def test_another_word_is_refused(run: Run, llm: ScriptedLLM) -> None:
    outcome = run("run", "./model", "x", "--think=deeply")
    assert outcome.code == 2
    assert outcome.err.startswith("error: --think=deeply: give one of off, none, minimal, low,")
    assert llm.asked == []


def test_only_the_flag_itself_is_spelled_out() -> None:
    assert spell_out_think(["run", "a", "--think", "b"]) == ["run", "a", "--think=on", "b"]
    assert spell_out_think(["--think", "--think", "max"]) == ["--think=on", "--think=max"]
    assert spell_out_think(["x", "--", "--think"]) == ["x", "--", "--think"]


def test_an_answer_in_json(run: Run, llm: ScriptedLLM, tmp_path: Path) -> None:
    assert run("run", "./model", "x", "--format", "json").code == 0
    assert llm.asked[-1]["format"] == JsonObject()
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    (tmp_path / "person.json").write_text(json.dumps(schema))
    assert run("run", "./model", "x", "--format", "person.json").code == 0
    assert llm.asked[-1]["format"] == JsonSchema(schema)
    assert run("run", "./model", "x", "--raw", "--format", "json").code == 0
    assert llm.asked[-1]["format"] == JsonObject()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; give json, or a file with a JSON Schema"),
        ("{", "is no JSON"),
        ("[1]", "holds no JSON Schema"),
        (" " * (1 << 20) + "{}", "more than 1,048,576 bytes are no schema"),
    ],
)
def test_what_is_no_schema_is_refused(
    run: Run, llm: ScriptedLLM, tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / "s.json").write_text(content)
    outcome = run("run", "./model", "x", "--format", "s.json")
    assert outcome.code == 2
    assert message in outcome.err
    assert llm.asked == []
