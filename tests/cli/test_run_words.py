"""Which words are the model and which the prompt; which words of a prompt are attachments."""

from pathlib import Path

import pytest
from stored_models import store_model

from gemma4.cli.run.media_words import find_media, kind_of
from gemma4.cli.run.words import RunWords, split_words
from gemma4.hub.store import Store
from gemma4.text.messages import Audio, Image, Video


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: media, a model, and things that are neither."""
    place = tmp_path / "here"
    for name in ("photo.jpg", "my photo.png", "talk.ogg", "clip.MP4", "notes.txt", "net.gguf"):
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_bytes(b"x")
    (place / "checkpoint").mkdir()
    (place / "checkpoint" / "config.json").write_text("{}")
    (place / "explain").mkdir()
    monkeypatch.chdir(place)
    return place


def split(words: list[str], home: Path, model: str | None = None) -> RunWords:
    return split_words(words, model, Store(home))


@pytest.mark.parametrize(
    ("words", "model", "prompt"),
    [
        (["e2b", "Why", "not?"], "e2b", "Why not?"),
        (["E2B:Base"], "E2B:Base", ""),
        (["gemma3:270m", "Once upon a time"], "gemma3:270m", "Once upon a time"),
        (["google/gemma-4-E2B-it", "hi"], "google/gemma-4-E2B-it", "hi"),
        (["checkpoint", "hi"], "checkpoint", "hi"),
        (["./checkpoint"], "./checkpoint", ""),
        (["net.gguf", "hi"], "net.gguf", "hi"),
    ],
)
def test_a_first_word_that_is_a_model_is_the_model(
    home: Path, words: list[str], model: str, prompt: str
) -> None:
    found = split(words, home)
    assert (found.model, found.prompt) == (model, prompt)


@pytest.mark.parametrize(
    "words",
    [
        ["Why is the sky blue?"],
        ["why", "is", "it"],
        ["explain", "this"],  # a folder of that name, without a model in it
        ["photo.jpg", "What is this?"],
        ["./photo.jpg", "What", "is", "this?"],
        ["./missing.jpg", "What is this?"],
        ["describe", "my photo.png"],  # one word with a space, but it is a file
        ["data:image/png;base64,AAAA", "describe"],
        ["12 b or not 12 b"],
    ],
)
def test_other_words_are_the_prompt(home: Path, words: list[str]) -> None:
    assert split(words, home) == RunWords(model=None, prompt=" ".join(words))


@pytest.mark.parametrize(
    "words",
    [
        ["gemma4", "hi"],
        ["e3b"],
        ["31b-it"],
        ["gemma-4-E2B-it"],
        ["llama3:8b"],
        ["someone/something"],
        ["missing.gguf"],
        ["./missing"],
        ["~/models/e2b"],
        ["qwen", "Why is the sky blue?"],
    ],
)
def test_what_looks_like_a_model_is_never_taken_for_a_prompt(home: Path, words: list[str]) -> None:
    assert split(words, home) == RunWords(model=words[0], prompt=" ".join(words[1:]), guessed=True)


def test_a_downloaded_model_is_known_by_its_name(home: Path) -> None:
    store_model(home, "someone/tuned", {"config.json": b"{}"})
    assert split(["someone/tuned", "hi"], home) == RunWords(model="someone/tuned", prompt="hi")


def test_with_the_option_every_word_is_the_prompt(home: Path) -> None:
    assert split(["e4b", "is", "small"], home, "e2b") == RunWords(
        model="e2b", prompt="e4b is small"
    )


@pytest.mark.parametrize(
    ("prompt", "text", "media"),
    [
        ("What is photo.jpg?", "What is photo.jpg?", [Image(Path("photo.jpg"))]),
        ("photo.jpg", "", [Image(Path("photo.jpg"))]),
        ("'my photo.png' talk.ogg", "", [Image(Path("my photo.png")), Audio(Path("talk.ogg"))]),
        (
            'Is "my photo.png" like ./photo.jpg?',
            "Is my photo.png like photo.jpg?",
            [Image(Path("my photo.png")), Image(Path("photo.jpg"))],
        ),
        (r"See my\ photo.png.", "See my photo.png.", [Image(Path("my photo.png"))]),
        ("(clip.MP4), then", "(clip.MP4), then", [Video(Path("clip.MP4"))]),
        ("It's photo.jpg, isn't it?", "It's photo.jpg, isn't it?", [Image(Path("photo.jpg"))]),
        ("data:image/png;base64,AA== what?", " what?", [Image("data:image/png;base64,AA==")]),
        ("data:audio/wav,abc", "", [Audio("data:audio/wav,abc")]),
        ("data:text/plain,abc", "data:text/plain,abc", []),
        ("notes.txt and missing.png", "notes.txt and missing.png", []),
        ("open('photo.jpg')", "open('photo.jpg')", []),
        ("", "", []),
    ],
)
def test_paths_and_data_urls_become_attachments_in_order(
    prompt: str, text: str, media: list[object]
) -> None:
    found = find_media(prompt)
    assert list(found.media) == media
    assert found.text == text


def test_an_absolute_path_leaves_only_its_name_in_the_text(folder: Path) -> None:
    found = find_media(f"Compare {folder}/photo.jpg with {folder}/talk.ogg!")
    assert found.text == "Compare photo.jpg with talk.ogg!"
    assert found.media == (Image(folder / "photo.jpg"), Audio(folder / "talk.ogg"))


def test_a_missing_file_that_is_written_as_a_path_is_reported() -> None:
    found = find_media("What is in ./gone.png, and in /tmp/none.wav?")
    assert found.missing == ("./gone.png", "/tmp/none.wav")
    assert found.media == ()
    assert found.text == "What is in ./gone.png, and in /tmp/none.wav?"


def test_kinds_are_told_by_the_ending() -> None:
    names = ("a.JPEG", "a.flac", "a.webm", "a.ts", "a", "")
    assert [kind_of(name) for name in names] == ["image", "audio", "video", None, None, None]


def test_a_long_prompt_of_quotes_takes_no_time() -> None:
    prompt = "\"it's\" '" * 20_000
    assert find_media(prompt).text == prompt
