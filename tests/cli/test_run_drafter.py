"""`--drafter` on its way to `load`, and the line that says what drafts did."""

from pathlib import Path

import pytest

from gemma4.cli.run.answer_report import describe_drafts
from gemma4.cli.run.model import ChosenModel, load_chosen
from gemma4.cli.run.request import Placing
from gemma4.engine.speculation.report import SpeculationReport
from gemma4.hub.store import Store
from gemma4.llm import load as load_module


def report(**changes: object) -> SpeculationReport:
    given = {
        "source": "lookup", "passes": 40, "tokens": 81, "drafted": 60, "accepted": 41,
        "acceptance": 41 / 60, "gain": 1.4, "off_reason": None,
    }  # fmt: skip
    return SpeculationReport(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "lookup, 41 of 60 guesses right, 1.40 × as fast as without"),
        ({"gain": None}, "lookup, 41 of 60 guesses right"),
        (
            {"drafted": 0, "accepted": 0, "acceptance": None, "gain": 1.0},
            "lookup, nothing to guess from",
        ),
        (
            {"gain": 0.98, "off_reason": "3 of 60 drafted tokens were right, too few to gain"},
            "lookup, 41 of 60 guesses right, 0.98 × as fast as without; "
            "off: 3 of 60 drafted tokens were right, too few to gain",
        ),
    ],
)
def test_the_line_says_what_drafts_did(changes: dict[str, object], line: str) -> None:
    assert describe_drafts(report(**changes)) == line


@pytest.mark.parametrize(
    ("given", "passed"), [("lookup", "lookup"), ("none", None), ("./drafter", "./drafter")]
)
def test_the_option_reaches_load(
    given: str, passed: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, object] = {}
    monkeypatch.setattr(load_module, "load", lambda _name, **options: seen.update(options))
    chosen = ChosenModel(name="e2b", path=tmp_path)
    load_chosen(chosen, Store(tmp_path), Placing(drafter=given))
    assert seen["drafter"] == passed
