"""Ids to events: stop strings over token boundaries, thoughts, calls, warnings; with scripted ids."""

import pytest

from gemma4.llm.decoding import ChatDecoder, PlainDecoder
from gemma4.llm.events import ContentDelta, Event, ThoughtDelta, ToolCallEvent
from gemma4.llm.stop_strings import StopStrings
from gemma4.text.messages import Tool
from gemma4.text.tokens.packaged import packaged_tokenizer
from gemma4.text.tokens.tokenizer import Tokenizer

WEATHER = Tool(
    name="weather",
    description="Weather",
    parameters={"type": "object", "properties": {"city": {"type": "string"}}},
)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return packaged_tokenizer()


def run(decoder: ChatDecoder | PlainDecoder, ids: list[int], reason: str = "stop") -> list[Event]:
    events: list[Event] = []
    for token in ids:
        events += decoder.push(token)
        if decoder.stopped_by is not None:
            break
    return [*events, *decoder.finish(reason)]


def content(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, ContentDelta))


@pytest.mark.parametrize(
    "pieces", [["one STOP two"], ["one S", "TO", "P two"], list("one STOP two")]
)
def test_a_stop_string_ends_the_text_wherever_it_is_split(pieces: list[str]) -> None:
    stops = StopStrings(["STOP", "never"])
    shown = ""
    for piece in pieces:
        shown += stops.push(piece)
        if stops.hit:
            break
    assert (shown, stops.hit) == ("one ", "STOP")


def test_what_only_began_a_stop_string_is_given_out_in_the_end() -> None:
    stops = StopStrings(["</end>"])
    assert stops.push("a </en") == "a "
    assert stops.push("d but no") == "</end but no"
    assert stops.push(" <") == " "
    assert stops.finish() == "<"


def test_the_first_of_two_stop_strings_wins() -> None:
    stops = StopStrings(["b", "ab"])
    assert stops.push("xxab") == "xx"
    assert stops.hit == "ab"


def test_completion_shows_control_tokens_as_text(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("Hi 🙂"), 105]
    assert content(run(PlainDecoder(tokenizer, ()), ids)) == "Hi 🙂<|turn>"


def test_thought_content_and_call_are_told_apart(tokenizer: Tokenizer) -> None:
    text = (
        "<|channel>thought\nRain?\n<channel|>Let me look."
        '<|tool_call>call:weather{city:<|"|>Oslo<|"|>}<tool_call|><|tool_response>'
    )
    decoder = ChatDecoder(tokenizer, (), tools=[WEATHER], opens_thought=False)
    events = run(decoder, tokenizer.encode(text, allow_special=True))
    thought = "".join(event.text for event in events if isinstance(event, ThoughtDelta))
    calls = [event.call for event in events if isinstance(event, ToolCallEvent)]
    assert thought.strip() == "Rain?"
    assert content(events) == "Let me look."
    assert [(call.name, dict(call.arguments)) for call in calls] == [("weather", {"city": "Oslo"})]
    assert (decoder.num_calls, decoder.warnings) == (1, [])
    assert decoder.num_thought_tokens > 0


def test_stop_strings_do_not_look_into_thoughts(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("<|channel>thought\nSTOP\n<channel|>go STOP on", allow_special=True)
    decoder = ChatDecoder(tokenizer, ("STOP",), tools=(), opens_thought=False)
    events = run(decoder, ids)
    assert content(events) == "go "
    assert decoder.stopped_by == "STOP"


def test_repaired_undeclared_and_broken_calls_are_warned_of(tokenizer: Tokenizer) -> None:
    text = (
        '<|tool_call>call:weather(city="Oslo")<tool_call|>'
        '<|tool_call>call:other{a:<|"|>b<|"|>}<tool_call|>'
        '<|tool_call>{"a":}]<tool_call|>'
    )
    decoder = ChatDecoder(tokenizer, (), tools=[WEATHER], opens_thought=False)
    events = run(decoder, tokenizer.encode(text, allow_special=True))
    assert decoder.num_calls == 2
    assert '{"a":}]' in content(events)
    assert [words in " ".join(decoder.warnings) for words in ("repaired", "offered", "read")] == [
        True,
        True,
        True,
    ]


def test_a_stop_string_completed_by_the_last_flush_is_a_stop(tokenizer: Tokenizer) -> None:
    """The byte that ends the text was held back; the finish reason must not say `length`."""
    decoder = PlainDecoder(tokenizer, ("\ufffd",))
    first_byte = next(i for i in range(1000) if tokenizer.token_bytes(i) == b"\xf0")
    events = run(decoder, [first_byte], "length")
    assert decoder.stopped_by == "\ufffd"
    assert content(events) == ""
