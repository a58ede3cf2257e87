"""The question that has a sound written down."""

import pytest

from gemma4.llm.transcription import transcription_question
from gemma4.text.messages import Audio, Text


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (None, "in its original language."),
        ("de", "in German into German text."),
        ("DE", "in German into German text."),
        ("Swahili", "in Swahili into Swahili text."),
    ],
)
def test_the_language_is_named(language: str | None, words: str) -> None:
    (message,) = transcription_question(b"x", language=language).messages
    sound, text = message.content
    assert sound == Audio(b"x")
    assert isinstance(text, Text)
    assert text.text.startswith(f"Transcribe the following speech segment {words}")
    assert "spelled here" not in text.text


def test_a_hint_and_settings() -> None:
    question = transcription_question(b"x", hint="Ülm", temperature=0.5, logprobs=0)
    assert question.messages[0].text.endswith("spelled here: Ülm")
    assert question.options["temperature"] == 0.5
    assert question.options["logprobs"] == 0
    assert not question.thinking
