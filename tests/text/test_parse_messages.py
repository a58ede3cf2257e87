"""Conversations of clients become values, strictly: every refusal names the message and the key."""

import base64
from typing import Any

import pytest

from gemma4.errors import MessageError
from gemma4.text.messages import Audio, Image, Message, Text, ToolCall, Video
from gemma4.text.reading.parse_messages import to_messages

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": [1, null]}'}}
ASK = {"role": "user", "content": "x"}


def test_a_text_is_what_a_user_says() -> None:
    assert to_messages("hi") == (Message(role="user", content=(Text("hi"),)),)


def test_values_pass_unchanged_and_mix_with_mappings() -> None:
    message = Message(role="user", content=(Image("a.png"), Text("x")))
    assert to_messages([message, {"role": "assistant", "content": "y"}]) == (
        message,
        Message(role="assistant", content=(Text("y"),)),
    )


def test_every_part_is_understood() -> None:
    sound = base64.b64encode(b"RIFF").decode()
    content = [
        {"type": "text", "text": ""},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "high"}},
        {"type": "image_url", "image_url": "data:image/png;base64,AA=="},
        {"type": "image", "image": "a.png", "budget": 560},
        {"type": "input_audio", "input_audio": {"data": sound, "format": "wav"}},
        {"type": "audio", "audio": b"RIFF"},
        {"type": "audio_url", "audio_url": {"url": "data:audio/wav;base64,AA=="}},
        {"type": "video", "video": "v.mp4", "num_frames": 8},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AA=="}},
        Image(b"png"),
    ]
    [message] = to_messages([{"role": "user", "content": content}])
    assert message.content == (
        Text(""),
        Image("data:image/png;base64,AA==", budget=1120),
        Image("data:image/png;base64,AA=="),
        Image("a.png", budget=560),
        Audio(b"RIFF"),
        Audio(b"RIFF"),
        Audio("data:audio/wav;base64,AA=="),
        Video("v.mp4", num_frames=8),
        Video("data:video/mp4;base64,AA=="),
        Image(b"png"),
    )


def test_a_tool_round_is_understood() -> None:
    replayed = {"refusal": None, "audio": None, "function_call": None, "annotations": []}
    messages = to_messages(
        [
            {"role": "developer", "content": "rules"},
            ASK,
            {"role": "assistant", "content": None, "reasoning_content": "hm", "tool_calls": [CALL]}
            | replayed,
            {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "out"}]},
            {"role": "assistant", "content": "done", "tool_calls": None, "reasoning": ""},
        ]
    )
    assert [message.role for message in messages] == [
        "developer",
        "user",
        "assistant",
        "tool",
        "assistant",
    ]
    call = ToolCall(name="f", arguments={"a": [1, None]}, id="c1")
    assert messages[2] == Message(role="assistant", thought="hm", tool_calls=(call,))
    assert messages[3] == Message(role="tool", tool_call_id="c1", content=(Text("out"),))
    assert messages[4] == Message(role="assistant", content=(Text("done"),))


@pytest.mark.parametrize(
    ("given", "read"), [({"a": 1}, {"a": 1}), ("", {}), (None, {}), ("{}", {})]
)
def test_arguments_come_as_json_or_mapping(given: Any, read: dict[str, Any]) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": given}}
    messages = to_messages([ASK, {"role": "assistant", "tool_calls": [call]}])
    assert messages[1].tool_calls[0].arguments == read


def test_answers_without_an_id_go_to_the_calls_in_order_or_by_name() -> None:
    calls = [{"function": {"name": name}} for name in ("f", "g", "f")]
    answers = [{"role": "tool", "name": "g", "content": "1"}, {"role": "tool", "content": "2"}]
    answers.append({"role": "tool", "content": "3"})
    messages = to_messages([ASK, {"role": "assistant", "tool_calls": calls}, *answers])
    ids = [call.id for call in messages[1].tool_calls]
    assert ids == ["call_1_0", "call_1_1", "call_1_2"]
    assert [message.tool_call_id for message in messages[2:]] == [ids[1], ids[0], ids[2]]


def assistant(**fields: Any) -> list[dict[str, Any]]:
    return [ASK, {"role": "assistant", **fields}]


def part(**fields: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [fields]}]


WRONG: list[tuple[Any, str]] = [
    ([], "a conversation has 0 messages"),
    ({"role": "user"}, "a conversation is a mapping; it must be text or a list"),
    (["hi"], "message 0 is a text; it must be a mapping"),
    ([{"content": "x"}], "message 0 has no role"),
    ([{"role": "model", "content": "x"}], "role is 'model'; it must be one of system, developer"),
    ([{"role": "user", "content": 3}], "message 0: content is a number; it must be text or a list"),
    (
        [{"role": "user", "content": "x", "images": []}],
        "message 0 has unknown keys 'images'; known",
    ),
    ([{"role": "user", "content": "x", "name": 3}], "message 0: name is a number; it must be text"),
    (part(text="x"), "message 0, content part 0 has no type"),
    (part(type="text"), "message 0, content part 0 has no text"),
    (
        part(type="text", text="x", cache_control={}),
        "content part 0 has unknown keys 'cache_control'",
    ),
    (part(type="file", file={}), "content part 0 is of type 'file'; known are text, image"),
    (part(type="image"), "content part 0: image is null; it must be a path, bytes or a data: URL"),
    (part(type="image", image="a", budget=-1), "budget is -1; it must be a number above 0"),
    (part(type="image", image="a", budget=True), "budget is True; it must be a number above 0"),
    (part(type="image_url"), "content part 0, image_url is null; it must be a mapping"),
    (
        part(type="image_url", image_url={"url": "https://example.org/a.png"}),
        r"url is 'https://example\.org/a\.png'; only data: URLs are read",
    ),
    (part(type="image_url", image_url="/etc/passwd"), "only data: URLs are read"),
    (
        part(type="image_url", image_url={"url": "data:,", "detail": "max"}),
        "detail is 'max'; it must be auto, low or high",
    ),
    (part(type="input_audio", input_audio={"data": "?"}), "input_audio: data is no base64"),
    (part(type="input_audio", input_audio={"format": "wav"}), "input_audio has no data"),
    (assistant(tool_calls={}), "message 1: tool_calls is a mapping; it must be a list"),
    (assistant(tool_calls=["f"]), "message 1, tool call 0 is a text; it must be a mapping"),
    (assistant(tool_calls=[{"type": "custom"}]), "tool call 0 is of type 'custom'"),
    (assistant(tool_calls=[{"function": {}}]), "message 1, tool call 0, function has no name"),
    (assistant(tool_calls=[CALL | {"index": 0}]), "tool call 0 has unknown keys 'index'"),
    (assistant(tool_calls=[CALL, CALL]), "message 1 has tool calls with the same id"),
    (assistant(refusal="no"), "message 1: refusal is not understood, got a text"),
    (assistant(reasoning="a", reasoning_content="b"), "reasoning and reasoning_content differ"),
    ([ASK | {"tool_calls": [CALL]}], "message 0 has unknown keys 'tool_calls'"),
    (
        [{"role": "system", "content": [{"type": "image", "image": "a.png"}]}],
        r"message 0 \(system\) holds media; put them into a user message",
    ),
    (
        assistant(content=[{"type": "image", "image": "a.png"}], tool_calls=[CALL]),
        r"message 1 \(assistant\) holds media beside tool calls",
    ),
    (
        [ASK, {"role": "tool", "tool_call_id": "c1", "content": "x"}],
        r"message 1 \(tool\) answers call c1, but unanswered calls .* are: none",
    ),
    (
        [*assistant(tool_calls=[CALL]), {"role": "tool", "tool_call_id": "c2", "content": "x"}],
        r"message 2 \(tool\) answers call c2, but .* are: c1 \(f\)",
    ),
    (
        [
            *assistant(tool_calls=[CALL]),
            *[{"role": "tool", "tool_call_id": "c1", "content": "x"}] * 2,
        ],
        r"message 3 \(tool\) answers call c1, but .* are: none",
    ),
    (
        [
            *assistant(tool_calls=[CALL]),
            {"role": "tool", "tool_call_id": "c1", "name": "g", "content": "x"},
        ],
        "message 2 .* is named 'g' but answers a call of 'f'",
    ),
]


@pytest.mark.parametrize(("conversation", "message"), WRONG)
def test_what_makes_no_sense_is_refused(conversation: Any, message: str) -> None:
    with pytest.raises(MessageError, match=message) as caught:
        to_messages(conversation)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("{", "message 1, tool call 0, function: arguments are no JSON: Expecting property name"),
        ("[1]", "arguments are a list; they must be a JSON object"),
        ('{"a": NaN}', "arguments are no JSON: NaN is no JSON value"),
        (3, "arguments are a number; they must be a JSON object"),
        ("[" * 100_000, "arguments are no JSON"),
    ],
)
def test_arguments_that_are_no_object_are_refused(arguments: Any, message: str) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": arguments}}
    with pytest.raises(MessageError, match=message):
        to_messages(assistant(tool_calls=[call]))


def test_values_are_checked_like_mappings() -> None:
    call = ToolCall(name="f", arguments={}, id="1")
    with pytest.raises(MessageError, match=r"message 0 \(user\) has tool calls or reasoning"):
        to_messages([Message(role="user", tool_calls=(call,))])
    with pytest.raises(MessageError, match=r"message 0 \(user\) has a tool_call_id"):
        to_messages([Message(role="user", tool_call_id="1")])
    with pytest.raises(MessageError, match=r"message 2 \(tool\) has tool calls or reasoning"):
        to_messages(
            [ASK, Message(role="assistant", tool_calls=(call,)), Message(role="tool", thought="x")]
        )
