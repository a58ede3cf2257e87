"""The conversation's commands, with a model behind a URL."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from plain_server import PlainServer, plain_server
from scripted_chat import enter, texts

from gemma4.cli.chat.session import ChatSession
from gemma4.cli.remote.model import RemoteModel, find_model
from gemma4.cli.remote.server import remote_server
from gemma4.errors import EnvironmentFault, InputError, SamplingError


@pytest.fixture
def plain() -> Iterator[PlainServer]:
    with plain_server() as running:
        yield running


@pytest.fixture
def chat(plain: PlainServer) -> ChatSession:
    server = remote_server(plain.url, None)
    remote = RemoteModel(server=server, info=find_model(server, "beta")[0])
    return ChatSession(remote, raw=False, thinking=None, stats=remote.stats)


def test_what_was_said_goes_along(chat: ChatSession, plain: PlainServer) -> None:
    enter(chat, "/system Be kind.")
    plain.pieces = ({"reasoning_content": "hm"}, {"content": "One."})
    enter(chat, "first")
    enter(chat, "second")
    assert [message["content"] for message in plain.bodies[1]["messages"]] == [
        "Be kind.", "first", "One.", "second",
    ]  # fmt: skip
    assert plain.bodies[1]["messages"][2]["reasoning_content"] == "hm"
    enter(chat, "/undo")
    enter(chat, "/retry")
    assert texts(chat) == [("first", "One.")]


def test_settings_are_the_servers_until_they_are_set(chat: ChatSession, plain: PlainServer) -> None:
    assert enter(chat, "/set top_p") == ("top_p   as the server does   ",)
    assert enter(chat, "/think") == ("thinking is as the server does",)
    enter(chat, "/set temperature 0.3")
    enter(chat, "/think medium")
    enter(chat, "x")
    assert (plain.bodies[0]["temperature"], plain.bodies[0]["reasoning_effort"]) == (0.3, "medium")
    assert "top_p" not in plain.bodies[0]


def test_what_cannot_be_sent_is_refused_with_its_remedy(
    chat: ChatSession, plain: PlainServer
) -> None:
    enter(chat, "/set loop_guard off")
    with pytest.raises(SamplingError, match="`/set loop_guard default`"):
        enter(chat, "x")
    assert chat.unanswered is not None, "/retry asks it again"
    enter(chat, "/set loop_guard default")
    assert enter(chat, "/retry") == ("Plain.",)
    assert len(plain.bodies) == 1


def test_a_conversation_is_saved_and_goes_on(
    chat: ChatSession, plain: PlainServer, tmp_path: Path
) -> None:
    enter(chat, "first")
    enter(chat, f"/save {tmp_path}/talk.json")
    enter(chat, "/clear")
    assert enter(chat, f"/load {tmp_path}/talk.json") == ("1 exchanges loaded",)
    assert chat.thinking is None
    enter(chat, "second")
    assert len(plain.bodies[1]["messages"]) == 3


def test_an_error_leaves_the_conversation_as_it_was(chat: ChatSession, plain: PlainServer) -> None:
    enter(chat, "first")
    plain.ending = ()
    with pytest.raises(EnvironmentFault, match="without saying why"):
        enter(chat, "second")
    assert texts(chat) == [("first", "Plain.")]
    with pytest.raises(InputError, match="ask something first"):
        enter(chat, "/stats")


def test_statistics_say_what_is_known(chat: ChatSession) -> None:
    enter(chat, "x")
    lines = "\n".join(enter(chat, "/stats"))
    assert "the server does not count them" in lines
    assert "to the first piece" in lines
    assert "unknown" not in lines


def test_leaving_an_answer_hangs_up(chat: ChatSession) -> None:
    events = chat.ask("x").events()
    next(events)
    events.close()
    assert texts(chat) == []
