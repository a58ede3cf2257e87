"""A conversation's state and its commands, without a terminal. The model is scripted."""

import inspect
import re
from pathlib import Path

import pytest
from scripted_chat import enter, texts
from scripted_llm import Reply, ScriptedLLM

from gemma4.cli.chat import commands as chat_commands
from gemma4.cli.chat.commands import COMMANDS, Ask, handle
from gemma4.cli.chat.session import ChatSession
from gemma4.cli.run.options import SETTINGS
from gemma4.errors import ContextError, Gemma4Error, InputError, MediaError
from gemma4.text.messages import Audio, Image, Text

PHOTO = Path(__file__).parents[1] / "data" / "media" / "photo.jpg"
CLIP = Path(__file__).parents[1] / "data" / "media" / "clip.mp4"


@pytest.fixture
def llm() -> ScriptedLLM:
    return ScriptedLLM()


@pytest.fixture
def chat(llm: ScriptedLLM) -> ChatSession:
    return ChatSession(llm, raw=False)  # type: ignore[arg-type]  # the scripted stand-in


def test_each_question_is_asked_after_all_that_was_said(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    llm.replies = [Reply(pieces=["one"], thought=["hm"]), Reply(pieces=["two"])]
    enter(chat, "/system Be brief.")
    enter(chat, "first")
    enter(chat, "/think on")
    enter(chat, "  second  ")
    messages = llm.asked[1]["messages"]
    assert [(message.role, message.text) for message in messages] == [
        ("system", "Be brief."),
        ("user", "first"),
        ("assistant", "one"),
        ("user", "second"),
    ]
    assert messages[2].thought == "hm"
    assert [asked["thinking"] for asked in llm.asked] == [False, True]
    assert texts(chat) == [("first", "one"), ("second", "two")]


def test_an_error_leaves_the_conversation_as_it_was_and_retry_asks_again(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    error = ContextError("too long", needed=9, limit=8)
    llm.replies = [Reply(), Reply(pieces=["par"], error=error), Reply(pieces=["whole"])]
    enter(chat, "first")
    before = chat.exchanges
    with pytest.raises(ContextError):
        enter(chat, "second")
    assert chat.exchanges == before
    enter(chat, "/retry")
    assert texts(chat)[1] == ("second", "whole")


def test_a_stopped_answer_is_kept_and_marked(chat: ChatSession, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["par", "tial"], error=KeyboardInterrupt())]
    action = handle(chat, "go")
    assert isinstance(action, Ask)
    with pytest.raises(KeyboardInterrupt):
        list(action.turn.events())
    assert action.turn.stop()
    assert texts(chat) == [("go", "partial")]
    assert chat.exchanges[0].finish_reason == "cancelled"


def test_an_answer_stopped_before_its_first_word_is_not_kept(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    llm.replies = [Reply(pieces=[], thought=["hm"], error=KeyboardInterrupt()), Reply()]
    action = handle(chat, "go")
    assert isinstance(action, Ask)
    with pytest.raises(KeyboardInterrupt):
        list(action.turn.events())
    assert not action.turn.stop()
    assert chat.exchanges == ()
    assert enter(chat, "/retry") == ("Hello there.",)


def test_an_answer_without_words_is_not_kept(chat: ChatSession, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=[" "])]
    enter(chat, "go")
    assert chat.exchanges == ()


def test_retry_puts_the_new_answer_in_place_of_the_old(chat: ChatSession, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["one"]), Reply(pieces=["two"])]
    with pytest.raises(InputError, match="nothing to retry: ask something first"):
        enter(chat, "/retry")
    enter(chat, "go")
    enter(chat, "/retry")
    assert texts(chat) == [("go", "two")]
    assert len(llm.asked[1]["messages"]) == 1


def test_a_failed_retry_keeps_the_old_answer(chat: ChatSession, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(pieces=["one"]), Reply(error=InputError("no"))]
    enter(chat, "go")
    with pytest.raises(InputError):
        enter(chat, "/retry")
    assert texts(chat) == [("go", "one")]


def test_undo_takes_back_the_last_exchange(chat: ChatSession) -> None:
    enter(chat, "first")
    enter(chat, "second")
    assert enter(chat, "/undo") == ("taken back: second",)
    assert [user for user, _ in texts(chat)] == ["first"]
    enter(chat, "/undo")
    with pytest.raises(InputError, match="nothing to undo: the conversation is empty"):
        enter(chat, "/undo")


def test_clear_forgets_what_was_said_and_keeps_the_settings(chat: ChatSession) -> None:
    enter(chat, "/system S")
    enter(chat, "/set seed 3")
    enter(chat, "first")
    assert enter(chat, "/clear") == ("the conversation is empty",)
    assert (chat.exchanges, chat.system, chat.options) == ((), "S", {"seed": 3})


def test_attachments_go_with_the_next_question(chat: ChatSession, llm: ScriptedLLM) -> None:
    assert enter(chat, f"/image '{PHOTO}'") == (f"attached to the next question: image {PHOTO}",)
    enter(chat, f"/video {CLIP}")
    enter(chat, "/audio data:audio/wav;base64,AAAA")
    enter(chat, f"Compare with {PHOTO}")
    content = llm.asked[0]["messages"][0].content
    assert [type(part).__name__ for part in content] == ["Image", "Video", "Audio", "Image", "Text"]
    assert content[2] == Audio("data:audio/wav;base64,AAAA")
    assert content[3] == Image(PHOTO)
    assert content[4] == Text("Compare with photo.jpg")
    enter(chat, "and now?")
    assert llm.asked[1]["messages"][-1].content == (Text("and now?"),)


def test_a_dropped_path_with_a_slash_in_front_is_a_question(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    enter(chat, f"{PHOTO} what is this?")
    assert llm.asked[0]["messages"][0].content[0] == Image(PHOTO)


@pytest.mark.parametrize(
    ("entry", "error", "message"),
    [
        ("/image", InputError, "a path is missing; write /image PATH"),
        ("/image gone.png", MediaError, "gone.png cannot be read: No such file or directory"),
        ("/image .", MediaError, ". is a directory; give one file in it"),
        ("/sytem x", InputError, "there is no command /sytem; did you mean /system? (a space"),
        ("/xyzzy", InputError, "there is no command /xyzzy; /help lists them"),
        ("/think maybe", InputError, "/think maybe: give one of off, none"),
        ("/set colour red", Gemma4Error, "there is no setting 'colour'; known: temperature"),
        ("/set top_p 7", Gemma4Error, "top_p=7.0 is out of range; give 0 to 1"),
        (
            "/stats",
            InputError,
            "there is no whole answer to the last question: ask something first",
        ),
        ("/save", InputError, "a path is missing; write /save FILE"),
        ("/load gone.json", InputError, "gone.json is no file; give one that /save has written"),
    ],
)
def test_a_command_that_cannot_be_done_says_why_and_changes_nothing(
    chat: ChatSession, entry: str, error: type[Exception], message: str
) -> None:
    enter(chat, "first")
    chat.last = None
    before = dict(vars(chat))
    with pytest.raises(error) as caught:
        handle(chat, entry)
    assert str(caught.value).startswith(message)
    assert vars(chat) == before


def test_a_modality_that_the_model_lacks_cannot_be_attached(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    llm.modalities = ("text",)
    for entry in (f"/image {PHOTO}", f"What is {PHOTO}?"):
        with pytest.raises(MediaError, match="scripted takes text but no image; leave it out"):
            handle(chat, entry)
        assert chat.attached == ()


def test_settings_are_shown_changed_and_given_back(chat: ChatSession, llm: ScriptedLLM) -> None:
    assert "top_k                64       " in "\n".join(
        f"{line}         " for line in enter(chat, "/set")
    )
    assert enter(chat, "/set top-k 5") == ("top_k   5   set here",)
    assert enter(chat, "/set stop a b") == ('stop   ["a b"]   set here',)
    enter(chat, "go")
    assert llm.asked[0]["options"] == {"top_k": 5, "stop": ("a b",)}
    assert enter(chat, "/set top_k default")[0].startswith("top_k   64")
    assert chat.options == {"stop": ("a b",)}


def test_empty_settings_are_shown_as_none(chat: ChatSession) -> None:
    shown = dict(line.split(maxsplit=1) for line in enter(chat, "/set"))
    assert (shown["stop"], shown["stop_ids"], shown["logit_bias"], shown["seed"]) == ("none",) * 4
    assert list(shown) == list(SETTINGS)


@pytest.mark.parametrize(
    ("setting", "notes"),
    [
        ("seed 3", ("seed 3: the same question gets the same answer",)),
        ("temperature 0", ("greedy: the same question gets the same answer",)),
        ("seed none", ()),
    ],
)
def test_a_retry_that_changes_nothing_is_announced(
    chat: ChatSession, setting: str, notes: tuple[str, ...]
) -> None:
    enter(chat, "go")
    enter(chat, f"/set {setting}")
    action = handle(chat, "/retry")
    assert isinstance(action, Ask)
    assert action.notes == notes


def test_system_and_think_are_shown_set_and_removed(chat: ChatSession) -> None:
    assert enter(chat, "/system") == ("no instructions are set",)
    assert enter(chat, "/system Be  kind.") == ("system: Be  kind.",)
    assert enter(chat, "/system") == ("system: Be  kind.",)
    assert enter(chat, "/system clear") == ("no instructions are set",)
    assert enter(chat, "/think") == ("thinking is off",)
    assert enter(chat, "/think on") == ("thinking is on",)
    assert enter(chat, "/think LOW") == ("thinking is low",)
    assert enter(chat, "/think off") == ("thinking is off",)


def test_blocks_and_a_space_before_the_slash_are_questions(
    chat: ChatSession, llm: ScriptedLLM
) -> None:
    enter(chat, '"""\n/bye\nsecond line\n"""')
    enter(chat, " /help me")
    assert [user for user, _ in texts(chat)] == ["/bye\nsecond line", "/help me"]
    assert enter(chat, "   ") == ()
    assert len(llm.asked) == 2


def test_leaving_helping_and_stats(chat: ChatSession) -> None:
    assert [enter(chat, word) for word in ("/bye", "/exit", "/QUIT ")] == [("left",)] * 3
    shown = "\n".join(enter(chat, "/help"))
    for command in COMMANDS:
        assert f"{command} " in f"{shown} "
    enter(chat, "go")
    assert enter(chat, "/stats")[0] == "model      scripted"


def test_stats_are_never_those_of_an_earlier_answer(chat: ChatSession, llm: ScriptedLLM) -> None:
    llm.replies = [Reply(), Reply(error=KeyboardInterrupt())]
    enter(chat, "first")
    with pytest.raises(KeyboardInterrupt):
        enter(chat, "second")
    with pytest.raises(InputError, match="no whole answer to the last question"):
        enter(chat, "/stats")


def test_help_and_the_commands_themselves_agree() -> None:
    done = set(re.findall(r'"(/[a-z]+)"', inspect.getsource(chat_commands._command)))
    assert done - {"/exit", "/quit"} == set(COMMANDS)


def test_completion_takes_each_text_by_itself(llm: ScriptedLLM) -> None:
    chat = ChatSession(llm, raw=True)  # type: ignore[arg-type]  # the scripted stand-in
    enter(chat, "Once ")
    enter(chat, f"See {PHOTO}")
    assert [asked["prompt"] for asked in llm.asked] == ["Once ", f"See {PHOTO}"]
    for entry in ("/system x", "/think on", f"/image {PHOTO}", "/load x"):
        with pytest.raises(InputError, match=r"only continues text|is continued"):
            handle(chat, entry)
