"""What a model is asked to write down what is said in a sound."""

from ..text.messages import Audio, Message, Text
from .question import Question

LANGUAGES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English",
    "es": "Spanish", "fi": "Finnish", "fr": "French", "he": "Hebrew", "hi": "Hindi",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian",
    "ru": "Russian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
"""Names of languages by their codes of ISO 639-1, as the instruction spells them; others stay as given."""

MOST_TOKENS = 1024
"""Of one piece: nobody says so much in 30 s."""


def transcription_question(
    sound: bytes,
    *,
    language: str | None = None,
    hint: str | None = None,
    temperature: float = 0.0,
    logprobs: int | None = None,
) -> Question:
    """The question for a sound of at most 30 s, sound first, in the words of the model's card.

    Args:
        language: a code or a name; None: whichever is spoken.
        hint: words that may occur, or the text before.
    """
    spoken = None if language is None else LANGUAGES.get(language.lower(), language)
    kept = "in its original language" if spoken is None else f"in {spoken} into {spoken} text"
    words = (
        f"Transcribe the following speech segment {kept}. Follow these specific instructions for "
        "formatting the answer:\n* Only output the transcription, with no newlines.\n* When "
        "transcribing numbers, write the digits."
    )
    if hint:
        words += f"\n* Spell names and words as they are spelled here: {hint}"
    return Question(
        messages=(Message(role="user", content=(Audio(sound, where="file"), Text(words))),),
        options={"temperature": temperature, "max_tokens": MOST_TOKENS, "logprobs": logprobs},
    )
