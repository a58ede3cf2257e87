"""Answers of tools find their calls, however loosely agents write ids."""

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.openai.linking import link_results
from gemma4.text.messages import Message, Text, ToolCall


def said(role: str, text: str) -> Message:
    return Message(role=role, content=(Text(text),))  # type: ignore[arg-type]


def calls(*pairs: tuple[str, str]) -> Message:
    """An assistant's message that calls (id, name) each."""
    made = tuple(ToolCall(name=name, arguments={}, id=id) for id, name in pairs)
    return Message(role="assistant", tool_calls=made)


def answers(id: str | None, text: str, name: str | None = None) -> Message:
    return Message(role="tool", content=(Text(text),), tool_call_id=id, name=name)


def linked(*messages: Message) -> tuple[list[tuple[str | None, str]], tuple[str, ...]]:
    """Answers as (name of what they answer, text), and remarks; ids must fit."""
    found, remarks = link_results(messages, [f"m[{n}]" for n in range(len(messages))])
    names = {call.id: call.name for message in found for call in message.tool_calls}
    results = [message for message in found if message.role == "tool"]
    assert all(names[str(one.tool_call_id)] == one.name for one in results)
    return [(one.name, one.text) for one in results], remarks


ASKED = calls(("x", "a"), ("y", "b"))


def test_ids_decide_in_any_order() -> None:
    assert linked(ASKED, answers("y", "2"), answers("x", "1")) == ([("b", "2"), ("a", "1")], ())


def test_without_ids_the_order_decides_and_names_before_it() -> None:
    assert linked(ASKED, answers(None, "1"), answers(None, "2"))[0] == [("a", "1"), ("b", "2")]
    assert linked(ASKED, answers(None, "2", "b"), answers(None, "1"))[0] == [("b", "2"), ("a", "1")]


def test_an_unknown_id_is_taken_as_the_next_and_said() -> None:
    found, remarks = linked(ASKED, answers("y", "2"), answers("gone", "1"))
    assert found == [("b", "2"), ("a", "1")]
    assert remarks == ("m[2] answers 'gone', which nobody called; it was taken as the answer of a",)
    assert linked(ASKED, answers(None, "1", "other"))[1]


def test_the_same_id_twice_means_two_calls() -> None:
    twice = calls(("x", "a"), ("x", "b"))
    assert linked(twice, answers("x", "1"), answers("x", "2")) == ([("a", "1"), ("b", "2")], ())


def test_words_between_a_call_and_its_answer_come_after_it() -> None:
    conversation = (ASKED, said("system", "note"), answers("x", "1"), said("user", "?"))
    found, remarks = link_results(conversation, ["0", "1", "2", "3"])
    assert [one.role for one in found] == ["assistant", "tool", "system", "user"]
    assert remarks == ("2 was moved up, behind the call that it answers",)


@pytest.mark.parametrize(
    "messages",
    [
        (answers("x", "1"),),
        (said("user", "?"), answers(None, "1")),
        (calls(("x", "a")), answers("x", "1"), answers("x", "again")),
        (calls(("x", "a")), said("assistant", "no"), answers("x", "1")),
    ],
)
def test_an_answer_to_nothing_is_refused_by_name(messages: tuple[Message, ...]) -> None:
    places = [f"messages[{n}]" for n in range(len(messages))]
    with pytest.raises(RequestError, match="no call before it waits") as caught:
        link_results(messages, places)
    assert caught.value.param == places[-1]


def test_old_calls_are_left_alone() -> None:
    conversation = (
        calls(("x", "a")), answers("x", "1"), said("assistant", "ok"), said("user", "more"),
        calls(("x", "b")), answers("x", "2"),
    )  # fmt: skip
    assert linked(*conversation) == ([("a", "1"), ("b", "2")], ())
