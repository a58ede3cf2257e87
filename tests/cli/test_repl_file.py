"""Saved conversations: they come back whole, and nothing else is taken for one."""

import json
from pathlib import Path

import pytest
from scripted_chat import enter
from scripted_llm import Reply, ScriptedLLM

from gemma4.cli.chat.session import ChatSession
from gemma4.errors import InputError, MediaError, MessageError
from gemma4.llm.thinking import Thinking

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"


@pytest.fixture
def llm() -> ScriptedLLM:
    return ScriptedLLM()


@pytest.fixture
def chat(llm: ScriptedLLM) -> ChatSession:
    return ChatSession(llm, raw=False)  # type: ignore[arg-type]  # the scripted stand-in


@pytest.fixture
def saved(chat: ChatSession, llm: ScriptedLLM, tmp_path: Path) -> Path:
    """A saved conversation of two exchanges."""
    llm.replies = [Reply(pieces=["ä", "\n"], thought=["hm"]), Reply(reason="length")]
    enter(chat, "/system S")
    enter(chat, "/set stop a")
    enter(chat, "/set logit_bias 5:1.5")
    enter(chat, f"first {PHOTO}")
    enter(chat, "second")
    path = tmp_path / "talk.json"
    assert enter(chat, f"/save {path}") == (f"2 exchanges saved in {path}",)
    return path


def test_a_saved_conversation_comes_back_whole(
    chat: ChatSession, llm: ScriptedLLM, saved: Path
) -> None:
    assert saved.stat().st_mode & 0o777 == 0o600
    assert list(saved.parent.iterdir()) == [saved]
    other = ChatSession(llm, raw=False, thinking=Thinking(enabled=True))  # type: ignore[arg-type]  # as above
    assert enter(other, f"/load {saved}") == ("2 exchanges loaded",)
    assert other.exchanges == chat.exchanges
    assert (other.system, other.thinking, other.options) == (
        "S", Thinking(), {"stop": ("a",), "logit_bias": {5: 1.5}},
    )  # fmt: skip
    llm.name = "another"
    assert enter(other, f'/load "{saved}"')[1] == "they were with scripted; another goes on"


def test_a_relative_path_is_saved_so_that_it_holds_from_anywhere(
    chat: ChatSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(PHOTO.parent)
    enter(chat, "see photo.jpg")
    enter(chat, f"/save {tmp_path}/my\\ talk.json")
    found = json.loads((tmp_path / "my talk.json").read_text())
    assert found["exchanges"][0]["user"][0] == {"type": "image", "source": str(PHOTO)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ('"gemma4_conversation": 1', "gemma4_conversation is None, not 1"),
        ('"model": "scripted",', "the file lacks model"),
        ('"thinking": "off"', "the file lacks thinking"),
        ('"answer": ', "exchange 1 lacks answer"),
        ('"type": "image",', "exchange 1 has a part of type None"),
    ],
)
def test_a_file_that_lacks_something_is_refused_and_nothing_is_lost(
    chat: ChatSession, saved: Path, change: str, message: str
) -> None:
    text = saved.read_text()
    assert change in text
    saved.write_text(text.replace(change, change.replace('"', '"x', 1)))
    before = dict(vars(chat))
    with pytest.raises(MessageError) as caught:
        enter(chat, f"/load {saved}")
    assert str(caught.value).startswith(f"{saved} is no conversation that can be used: {message}")
    assert vars(chat) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"off"', "0", "thinking must be a text, not 0"),
        ('"off"', '"often"', "thinking is 'often', not one of off, none"),
        ('"finish_reason": "length"', '"finish_reason": "bored"', "exchange 2 has finish_reason"),
        ('"logit_bias"', '"bias"', "there is no setting 'bias'; known: "),
        ('"5:1.5"', '"5"', "logit_bias='5' is no list of biases"),
        ('"text": "second"', '"text": 2', "exchange 2: text must be a text, not 2"),
        ("photo.jpg", "gone.jpg", f"{PHOTO.parent}/gone.jpg cannot be read"),
        ('"Hello there."', '""', "exchange 2 has no answer"),
        ('"scripted",', '"scripted", "more": 1,', "the file has unknown more"),
    ],
)
def test_a_file_with_something_wrong_is_refused(
    chat: ChatSession, saved: Path, old: str, new: str, message: str
) -> None:
    text = saved.read_text()
    assert old in text
    saved.write_text(text.replace(old, new))
    with pytest.raises(MessageError) as caught:
        enter(chat, f"/load {saved}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "nonsense", "[]", "[" * 100_000, "\udcff"])
def test_what_is_no_conversation_is_neither_loaded_nor_overwritten(
    chat: ChatSession, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(MessageError, match="is no conversation: it is no JSON"):
        enter(chat, f"/load {path}")
    with pytest.raises(InputError, match="is there and is no conversation; give another name"):
        enter(chat, f"/save {path}")
    assert path.read_bytes() == content.encode(errors="surrogateescape")


def test_saving_again_replaces_the_file_and_a_failure_keeps_the_old_one(
    chat: ChatSession, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter(chat, "third")
    enter(chat, f"/save {saved}")
    old = saved.read_text()
    assert len(json.loads(old)["exchanges"]) == 3

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        enter(chat, f"/save {saved}")
    assert saved.read_text() == old
    assert list(saved.parent.iterdir()) == [saved]


def test_a_conversation_with_media_is_not_given_to_a_model_without_them(
    chat: ChatSession, llm: ScriptedLLM, saved: Path
) -> None:
    llm.modalities = ("text",)
    before = chat.exchanges
    with pytest.raises(MediaError, match="takes text but no image"):
        enter(chat, f"/load {saved}")
    assert chat.exchanges == before
