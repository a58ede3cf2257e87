"""A flat list of pieces becomes turns that a template renders in the order in which they were said."""

from pathlib import Path

import pytest

from gemma4.serve.errors import RequestError
from gemma4.serve.sealed_thought import sealed, unsealed
from gemma4.serve.transcript import Transcript
from gemma4.text.messages import Image, Text, ToolCall
from gemma4.text.templates.template import JinjaTemplate

FOLDER = Path(__file__).parents[1] / "data" / "chat_templates"


def transcript(name: str = "e2b-e4b.2026-07") -> Transcript:
    return Transcript(JinjaTemplate((FOLDER / f"{name}.jinja").read_text()))


def call(id: str, name: str = "look") -> ToolCall:
    return ToolCall(name=name, arguments={}, id=id)


def shape(written: Transcript) -> list[tuple[str, str, str | None, list[str]]]:
    return [(m.role, m.text, m.thought, [c.id for c in m.tool_calls]) for m in written.messages()]


def test_texts_of_a_role_are_one_message() -> None:
    written = transcript()
    written.instruct("Be kind.")
    written.instruct("Be short.")
    written.ask([Text("a"), Text("b")])
    written.ask([Text("c")])
    written.instruct("Later.")
    assert shape(written) == [
        ("system", "Be kind.\n\nBe short.", None, []),
        ("user", "a\n\nb\n\nc", None, []),
        ("system", "Later.", None, []),
    ]


def play(written: Transcript) -> None:
    """A thought, words, two calls whose results come late and the other way round, and an answer."""
    written.ask([Text("go")])
    written.think("hm")
    written.say([Text("I look.")])
    written.call(call("1"))
    written.call(call("2"))
    written.result("2", [Text("two")], where="here")
    written.result("1", [Text("one")], where="here")
    written.say([Text("Done.")])


def test_words_stay_before_the_calls_that_they_came_before() -> None:
    written = transcript()
    play(written)
    assert shape(written)[1:] == [
        ("assistant", "I look.", "hm", []),
        ("assistant", "", None, ["1", "2"]),
        ("tool", "one", None, []),
        ("tool", "two", None, []),
        ("assistant", "Done.", None, []),
    ]


def test_where_a_template_cannot_do_that_they_stay_one_message() -> None:
    written = transcript("large.2026-04")
    play(written)
    assert shape(written)[1] == ("assistant", "I look.", "hm", ["1", "2"])


def test_the_same_id_may_be_used_again_in_a_later_turn() -> None:
    written = transcript()
    written.ask([Text("go")])
    for word in ("first", "second"):
        written.call(call("0"))
        written.result("0", [Text(word)], where="here")
    assert [m.text for m in written.messages() if m.role == "tool"] == ["first", "second"]


def test_what_has_no_counterpart_is_refused() -> None:
    written = transcript()
    written.ask([Text("go")])
    with pytest.raises(RequestError, match=r"here is the result of call '1'.*none"):
        written.result("1", [], where="here")
    written.call(call("1"))
    with pytest.raises(RequestError, match="no result was sent for call 1"):
        written.messages()


@pytest.mark.parametrize(
    ("name", "roles"),
    [
        ("e2b-e4b.2026-07", ["user", "assistant", "tool", "user"]),
        ("launch-day-in-gguf", ["user", "assistant", "tool", "user"]),
    ],
)
def test_a_picture_that_a_tool_returned_goes_where_the_template_has_a_place(
    name: str, roles: list[str]
) -> None:
    written = transcript(name)
    picture = Image(b"png")
    written.ask([Text("go")])
    written.call(call("1"))
    written.result("1", [Text("seen"), picture], where="here")
    written.ask([Text("and?")])
    messages = written.messages()
    assert [message.role for message in messages] == roles
    holder = messages[2] if name.startswith("e2b") else messages[3]
    assert picture in holder.content
    assert messages[2].text == "seen"
    assert messages[3].text.endswith("and?")


def test_a_last_word_of_the_model_may_be_gone_on_with() -> None:
    written = transcript()
    written.ask([Text("go")])
    assert not written.ends_with_words_of_the_model
    written.say([Text("Once")])
    assert written.ends_with_words_of_the_model
    written.call(call("1"))
    assert not written.ends_with_words_of_the_model


def test_a_sealed_thought_is_had_again_and_nothing_else_is() -> None:
    assert unsealed(sealed("a thought, „quoted“")) == "a thought, „quoted“"
    assert sealed("")
    word = sealed("a thought")
    for damaged in ("", "EroBCkYI", word[:-4], word.replace(".", ".!"), word[:20] + "é"):
        assert unsealed(damaged) is None
