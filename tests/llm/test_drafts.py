"""Drafts from `load` to the last event of an answer, on tiny models. float32, exact texts."""

from pathlib import Path

import pytest
from tiny_chat import tiny_chat_directory, tiny_drafter_directory
from tiny_loaded import checkpoint_directory

import gemma4
from gemma4.errors import CheckpointError, ModelNotFoundError

GREEDY = {"temperature": 0.0, "max_tokens": 40}


@pytest.fixture(scope="module")
def plain() -> gemma4.LLM:
    return gemma4.load(tiny_chat_directory(), drafter=None)


@pytest.fixture(scope="module")
def drafting() -> dict[str, gemma4.LLM]:
    """`lookup` is what `load` takes unasked."""
    own = gemma4.load(tiny_chat_directory(), drafter=tiny_drafter_directory())
    return {"lookup": gemma4.load(tiny_chat_directory()), "tiny-drafter": own}


@pytest.mark.parametrize("settings", [GREEDY, {"seed": 3, "max_tokens": 40}])
@pytest.mark.parametrize("source", ["lookup", "tiny-drafter"])
def test_answers_are_those_without_drafts(
    plain: gemma4.LLM, drafting: dict[str, gemma4.LLM], source: str, settings: dict[str, float]
) -> None:
    expected = plain.chat("a b c d a b c d a b", **settings)
    found = drafting[source].chat("a b c d a b c d a b", **settings)
    assert found.text == expected.text
    assert found.finished.usage == expected.finished.usage
    assert expected.finished.speculation is None
    report = found.finished.speculation
    assert report is not None
    assert report.source == source
    assert report.tokens >= found.finished.usage.completion_tokens
    if source == "tiny-drafter":
        assert report.drafted > 0 or report.off_reason is not None  # as this machine's times are


def test_an_answer_that_a_stop_string_ended_reports_its_drafts(
    drafting: dict[str, gemma4.LLM],
) -> None:
    llm = drafting["tiny-drafter"]
    whole = llm.chat("Hello", **GREEDY)
    assert len(whole.text) > 8
    stopped = llm.chat("Hello", stop=(whole.text[5:8],), **GREEDY)
    assert stopped.text == whole.text[: whole.text.index(whole.text[5:8])]
    report = stopped.finished.speculation
    assert report is not None
    assert whole.finished.speculation is not None
    assert report.tokens < whole.finished.speculation.tokens


def test_what_is_no_drafter_is_refused_before_weights_are_read(tmp_path: Path) -> None:
    target = tiny_chat_directory()
    with pytest.raises(
        CheckpointError, match=r"whole model \(gemma4\) and no drafter; .*-assistant"
    ):
        gemma4.load(target, drafter=target)
    with pytest.raises(CheckpointError, match="made for a model of width 64 and this model has 32"):
        gemma4.load(target, drafter=checkpoint_directory("drafter_dense"))
    with pytest.raises(ModelNotFoundError, match="does not exist; check the path"):
        gemma4.load(target, drafter=tmp_path / "nothing")
    with pytest.raises(
        ModelNotFoundError,
        match="gemma4 pull google/gemma-4-E2B-it-assistant",
    ):
        gemma4.load(target, drafter="google/gemma-4-E2B-it-assistant", store=tmp_path)
