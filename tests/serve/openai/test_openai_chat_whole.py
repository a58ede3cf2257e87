"""Whole chat answers against OpenAI's own types."""

import json
from typing import Any

import pytest
from openai.types.chat import ChatCompletion
from raw_http import RawHttp

TOOLS = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}},
    {"type": "function", "function": {"name": "now"}},
]


def ask(http: RawHttp, words: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    body = {"model": "scripted", "messages": messages, "temperature": 0, **more}
    found = http.post("/v1/chat/completions", body)
    ChatCompletion.model_validate(found, strict=True)
    return found


@pytest.mark.parametrize(
    ("words", "more", "message", "reason"),
    [
        ("hi", {}, {"content": "Hello, world."}, "stop"),
        (
            "think",
            {"reasoning_effort": "low"},
            {"content": "Four.", "reasoning_content": "Two and two."},
            "stop",
        ),
        ("long", {"max_tokens": 2}, {"content": "word word"}, "length"),
        ("count", {"stop": "STOP"}, {"content": "one two\n"}, "stop"),
    ],
)
def test_words(
    http: RawHttp, words: str, more: dict[str, Any], message: dict[str, Any], reason: str
) -> None:
    (choice,) = ask(http, words, **more)["choices"]
    empty = {"role": "assistant", "refusal": None, "annotations": []}
    assert choice["message"] == {**empty, **message}
    assert choice["finish_reason"] == reason
    assert choice["logprobs"] is None


def test_calls_without_words_have_null_content(http: RawHttp) -> None:
    (choice,) = ask(http, "clock", tools=TOOLS)["choices"]
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "now", "arguments": "{}"}
    assert choice["finish_reason"] == "tool_calls"
    assert "<|" not in json.dumps(choice)


def test_calls_beside_words(http: RawHttp) -> None:
    (choice,) = ask(http, "reason", tools=TOOLS, reasoning_effort="low")["choices"]
    assert choice["message"]["content"] == "Wait."
    assert choice["message"]["reasoning_content"] == "I look."
    assert len(choice["message"]["tool_calls"]) == 1


def test_a_function_call_of_old(http: RawHttp) -> None:
    functions = [tool["function"] for tool in TOOLS]
    found = ask(http, "weather", functions=functions, function_call="auto")
    (choice,) = found["choices"]
    called = {"name": "weather", "arguments": '{"city": "Ulm"}'}
    assert choice["message"]["function_call"] == called
    assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"


def test_logprobs_of_the_words_alone(http: RawHttp) -> None:
    found = ask(http, "think", reasoning_effort="low", logprobs=True, top_logprobs=3)
    scores = found["choices"][0]["logprobs"]
    assert scores["refusal"] is None
    assert "".join(one["token"] for one in scores["content"]) == "Four."
    assert all(len(one["top_logprobs"]) == 3 for one in scores["content"])


def test_bytes_of_parts_of_a_character(http: RawHttp) -> None:
    found = ask(http, "rare", logprobs=True)
    scores = found["choices"][0]["logprobs"]["content"]
    assert len(scores) > 2  # one character of four tokens
    assert b"".join(bytes(one["bytes"]) for one in scores).decode() == "\U000e0fff!"


def test_several_answers_count_their_prompt_once(http: RawHttp) -> None:
    one, three = ask(http, "hi"), ask(http, "hi", n=3)
    assert [choice["index"] for choice in three["choices"]] == [0, 1, 2]
    assert three["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    assert three["usage"]["completion_tokens"] == 3 * one["usage"]["completion_tokens"]


def test_what_was_done_stands_in_the_answer(http: RawHttp) -> None:
    found = ask(http, "hi", seed=5, top_k=3, min_p=0.1, repetition_penalty=1.5)
    assert found["gemma4"]["sampling"]["temperature"] == 0
    sampling = found["gemma4"]["sampling"]
    assert (sampling["seed"], sampling["top_k"], sampling["min_p"]) == (5, 3, 0.1)
    assert sampling["repetition_penalty"] == 1.5
    assert found["timings"]["predicted_n"] == 4
