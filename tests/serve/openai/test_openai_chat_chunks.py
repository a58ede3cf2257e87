"""The exact shape of a chat stream, and what OpenAI's client makes of it."""

import json
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk
from raw_http import RawHttp, Stream

TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "now"}},
]


def ask(http: RawHttp, words: str, **more: Any) -> Stream:
    messages = [{"role": "user", "content": words}]
    body = {"model": "scripted", "messages": messages, "temperature": 0, **more}
    return http.stream("/v1/chat/completions", body)


CASES: list[dict[str, Any]] = [
    {"words": "hi"},
    {"words": "hi", "stream_options": {"include_usage": True}},
    {"words": "think", "reasoning_effort": "low"},
    {"words": "twice", "tools": TOOLS},
    {"words": "reason", "tools": TOOLS, "reasoning_effort": "low"},
    {"words": "emoji", "logprobs": True, "top_logprobs": 2},
    {"words": "hi", "n": 3},
    {"words": "think", "reasoning_effort": "low", "max_tokens": 3},
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(map(str, case)))
def test_every_chunk_is_as_openai_types_it(http: RawHttp, case: dict[str, Any]) -> None:
    found = ask(http, **case)
    assert found.done
    heads = [{k: event[k] for k in ("id", "object", "created", "model")} for event in found.events]
    assert heads == [heads[0]] * len(heads)
    for event in found.events:
        ChatCompletionChunk.model_validate(event, strict=True)
        for choice in event["choices"]:
            assert set(choice) == {"index", "delta", "logprobs", "finish_reason"}
    for number in range(case.get("n", 1)):
        check_choice([c for e in found.events for c in e["choices"] if c["index"] == number])


def check_choice(choices: list[dict[str, Any]]) -> None:
    first, *middle, last = choices
    assert first["delta"] == {"role": "assistant", "content": ""}
    assert last["delta"] == {}
    assert last["finish_reason"] in ("stop", "length", "tool_calls")
    for choice in middle:
        assert choice["finish_reason"] is None
        (kind,) = choice["delta"]  # never two kinds in one
        assert kind in ("content", "reasoning_content", "tool_calls")
        assert choice["delta"][kind]  # never empty


def test_usage_comes_last_in_a_chunk_without_choices(http: RawHttp) -> None:
    *others, last = ask(http, "hi", stream_options={"include_usage": True}).events
    assert all(event["usage"] is None for event in others)
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > last["usage"]["completion_tokens"] == 4
    assert last["usage"]["completion_tokens_details"]["reasoning_tokens"] == 0
    assert last["timings"]["predicted_n"] == 4
    assert last["gemma4"]["warnings"] == []
    assert "usage" not in ask(http, "hi").events[-1]


def test_thoughts_words_and_calls_come_apart(http: RawHttp) -> None:
    deltas = ask(http, "reason", tools=TOOLS, reasoning_effort="low").deltas
    kinds = [next(iter(delta)) for delta in deltas[1:-1]]
    assert sorted(set(kinds), key=kinds.index) == ["reasoning_content", "content", "tool_calls"]
    assert "".join(d.get("reasoning_content", "") for d in deltas) == "I look."
    assert "".join(d.get("content", "") for d in deltas) == "Wait."
    assert "<|" not in json.dumps(deltas)


def test_calls_are_numbered_from_zero_and_named_once(http: RawHttp) -> None:
    found = ask(http, "twice", tools=TOOLS)
    calls = [call for delta in found.deltas for call in delta.get("tool_calls", ())]
    assert [call["index"] for call in calls] == [0, 1]
    assert len({call["id"] for call in calls}) == 2
    assert {call["type"] for call in calls} == {"function"}
    assert [call["function"] for call in calls] == [
        {"name": "weather", "arguments": '{"city": "Ulm"}'}
    ] * 2
    assert found.events[-1]["choices"][0]["finish_reason"] == "tool_calls"


def test_a_call_without_arguments_is_an_empty_object(http: RawHttp) -> None:
    deltas = ask(http, "clock", tools=TOOLS).deltas
    assert deltas[1]["tool_calls"][0]["function"] == {"name": "now", "arguments": "{}"}


def test_functions_of_old_come_back_as_one_function_call(http: RawHttp) -> None:
    functions = [tool["function"] for tool in TOOLS]
    usage = {"include_usage": True}
    found = ask(http, "twice", functions=functions, stream_options=usage)
    called = [delta for delta in found.deltas if "function_call" in delta]
    assert called == [{"function_call": {"name": "weather", "arguments": '{"city": "Ulm"}'}}]
    assert found.events[-2]["choices"][0]["finish_reason"] == "function_call"
    assert "1 more calls were left out" in found.events[-1]["gemma4"]["warnings"][0]


@pytest.mark.parametrize(("words", "text"), [("emoji", "a🙂b é"), ("rare", "\U000e0fff!")])
def test_logprobs_come_with_their_text_and_bytes_tell_it(
    http: RawHttp, words: str, text: str
) -> None:
    found = ask(http, words, logprobs=True, top_logprobs=1)
    spelled = b""
    for event in found.events[1:-1]:
        (choice,) = event["choices"]
        scores = choice["logprobs"]["content"]
        said = b"".join(bytes(one["bytes"]) for one in scores)
        assert said == choice["delta"]["content"].encode()  # no stop strings: nothing is held back
        assert all(len(one["top_logprobs"]) == 1 for one in scores)
        spelled += said
    assert spelled.decode() == text
    assert found.events[-1]["choices"][0]["logprobs"] is None


def test_thoughts_have_no_logprobs_and_words_have_all(http: RawHttp) -> None:
    found = ask(http, "think", reasoning_effort="low", logprobs=True)
    scored = [
        one
        for event in found.events
        for choice in event["choices"]
        for one in (choice["logprobs"] or {"content": []})["content"]
    ]
    assert "".join(one["token"] for one in scored) == "Four."


def test_a_stop_string_is_held_back_and_its_logprobs_with_it(http: RawHttp) -> None:
    found = ask(http, "count", stop=["STOP", "never"], logprobs=True)
    text = "".join(delta.get("content", "") for delta in found.deltas)
    assert text == "one two\n"
    scored = [
        one["token"]
        for event in found.events
        for choice in event["choices"]
        for one in (choice["logprobs"] or {"content": []})["content"]
    ]
    assert "".join(scored) == text
    assert found.events[-1]["choices"][0]["finish_reason"] == "stop"


def test_reading_the_prompt_shows_signs_of_life(http: RawHttp) -> None:
    found = ask(http, "hi " * 1500)
    assert found.comments
    assert found.comments[0].startswith(": prompt ")


def test_the_clients_own_fold_gives_the_message_back(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="scripted",
        messages=[{"role": "user", "content": "twice"}],
        tools=TOOLS,  # type: ignore[arg-type]
        stream_options={"include_usage": True},
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    assert [call.function.parsed_arguments for call in message.tool_calls] == [None, None]
    assert [call.function.arguments for call in message.tool_calls] == ['{"city": "Ulm"}'] * 2
