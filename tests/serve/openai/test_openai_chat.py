"""OpenAI's own client against a real server."""

import copy
import time
from dataclasses import replace
from typing import Any

import openai
import pytest
from live_server import LiveServer, live_server
from raw_http import RawHttp
from scripted_model import scripted_llm

from gemma4.text.templates.template import JinjaTemplate

PATH = "/v1/chat/completions"

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "description": "Tell the weather.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    }
]


def test_an_answer_as_a_whole(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "hi"}], temperature=0
    )
    assert found.choices[0].message.content == "Hello, world."
    assert found.choices[0].finish_reason == "stop"
    assert found.usage is not None
    assert found.usage.completion_tokens == 4


def test_a_stream_with_usage(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(
        model="scripted",
        messages=[{"role": "user", "content": "think"}],
        temperature=0,
        reasoning_effort="low",
        stream_options={"include_usage": True},
    ) as stream:
        chunks = [event.chunk for event in stream if event.type == "chunk"]
        found = stream.get_final_completion()
    assert found.choices[0].message.content == "Four."
    thought = [
        c.choices[0].delta.to_dict().get("reasoning_content", "") for c in chunks if c.choices
    ]
    assert "".join(thought) == "Two and two."
    assert found.usage is not None
    assert found.usage.completion_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("streamed", [False, True])
def test_a_tool_call_and_its_answer(client: openai.OpenAI, streamed: bool) -> None:
    asked = [{"role": "user", "content": "weather?"}]
    with client.chat.completions.stream(
        model="scripted", messages=asked, tools=TOOLS, temperature=0
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    if not streamed:
        found = client.chat.completions.create(
            model="scripted", messages=asked, tools=TOOLS, temperature=0
        )
        assert found.choices[0].finish_reason == "tool_calls"
        message = found.choices[0].message
    assert message.tool_calls is not None
    call = message.tool_calls[0]
    assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Ulm"}')
    reply = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    followed = client.chat.completions.create(
        model="scripted",
        messages=[*asked, message.model_dump(exclude_none=True), reply],
        tools=TOOLS,
        temperature=0,
    )
    assert followed.choices[0].message.content == "It is sunny."


def test_too_long_a_prompt_is_refused_before_the_stream_opens(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(
            model="scripted", messages=[{"role": "user", "content": "a b " * 9000}], stream=True
        )
    assert caught.value.code == "context_length_exceeded"
    assert "8192" in caught.value.message


def test_an_unknown_model_is_404(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="scripted"):
        client.chat.completions.create(model="other", messages=[{"role": "user", "content": "hi"}])


def test_several_answers_at_once(client: openai.OpenAI) -> None:
    found = client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "hi"}], n=3, seed=1
    )
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    assert {choice.message.content for choice in found.choices} == {"Hello, world."}


def test_leaving_a_stream_frees_its_pages(client: openai.OpenAI, server: LiveServer) -> None:
    engine = server.models.find("scripted").llm.streams.engine
    stream = client.chat.completions.create(
        model="scripted", messages=[{"role": "user", "content": "long"}], stream=True
    )
    next(iter(stream))
    stream.close()
    for _ in range(100):
        if engine.is_idle:
            break
        time.sleep(0.02)
    assert engine.is_idle


def ask(words: str, **more: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": words}]
    return {"model": "scripted", "messages": messages, "temperature": 0, **more}


def test_what_agents_add_is_let_pass(http: RawHttp) -> None:
    extras = {
        "store": False, "metadata": {"a": "b"}, "user": "me", "service_tier": "auto",
        "prompt_cache_key": "x", "safety_identifier": "y", "verbosity": "low", "prediction": None,
        "web_search_options": {}, "parallel_tool_calls": True, "response_format": {"type": "text"},
        "modalities": ["text"], "stream_options": None, "something": "new",
    }  # fmt: skip
    found = http.post(f"{PATH}?beta=true", ask("hi", **extras))
    assert found["choices"][0]["message"]["content"] == "Hello, world."


def test_pi_and_opencode_replay_what_they_were_told(http: RawHttp) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    for content in (None, ""):
        messages = [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
            {
                "role": "assistant",
                "content": content,
                "tool_calls": [call],
                "reasoning_content": "Hm.",
            },
            {"role": "tool", "tool_call_id": "c", "content": [{"type": "text", "text": "sun"}]},
        ]
        body = {"messages": messages, "tools": TOOLS, "max_completion_tokens": 99}
        found = http.post(PATH, {**body, "reasoning_effort": "medium", "store": False})
        assert found["choices"][0]["message"]["content"] == "It is sunny."
        assert found["gemma4"]["warnings"] == []


def test_a_loose_answer_of_a_tool_is_taken_and_said(http: RawHttp) -> None:
    call = {"id": "c", "function": {"name": "weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "other", "content": "sun"},
    ]
    found = http.post(PATH, {"messages": messages, "tools": TOOLS})
    assert found["choices"][0]["message"]["content"] == "It is sunny."
    assert "messages[2] answers 'other'" in found["gemma4"]["warnings"][0]


def test_tools_of_other_kinds_are_left_out_and_said(http: RawHttp) -> None:
    found = http.post(PATH, ask("weather", tools=[*TOOLS, {"type": "web_search"}]))
    assert found["choices"][0]["message"]["tool_calls"]
    assert "'web_search' was left out" in found["gemma4"]["warnings"][0]


def test_the_last_message_is_gone_on_with() -> None:
    seen = []

    def note(prompt: str) -> str:
        seen.append(prompt)
        return " there."

    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "Hello"}]
    with live_server([scripted_llm(note)]) as live:
        body = {
            "messages": messages,
            "continue_final_message": True,
            "add_generation_prompt": False,
        }
        found = RawHttp(live.url).post(PATH, body)
    assert found["choices"][0]["message"]["content"] == " there."
    assert seen[0].endswith("<|turn>model\nHello")


def test_tokens_are_counted_without_an_answer(http: RawHttp) -> None:
    body = ask("hi", tools=TOOLS)
    counted = http.post(f"{PATH}/input_tokens", body)["input_tokens"]
    assert counted == http.post(PATH, body)["usage"]["prompt_tokens"]
    assert http.post(f"{PATH}/input_tokens", ask("a b " * 9000))["input_tokens"] > 8192


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_a_short_limit_may_end_in_the_thought(http: RawHttp, field: str) -> None:
    found = http.post(PATH, ask("think", reasoning_effort="high", **{field: 5}))
    (choice,) = found["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("length", "")
    assert choice["message"]["reasoning_content"]
    assert found["usage"]["completion_tokens_details"]["reasoning_tokens"] == 5


def test_a_wrong_modality_is_named() -> None:
    llm = scripted_llm(lambda _: "no")
    llm = replace(llm, model=copy.copy(llm.model))  # others share it
    llm.model.config = replace(llm.config, audio=None)
    part = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    content = [{"type": "text", "text": "What?"}, part]
    with live_server([llm]) as live:
        body = {"messages": [{"role": "user", "content": content}], "stream": True}
        error = RawHttp(live.url).error(PATH, body)
    assert error["param"] == "messages[0].content[1]"
    assert error["type"] == "invalid_request_error"
    assert "no audio" in error["message"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 17}, "n"),
        ({"n": 0}, "n"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"add_generation_prompt": False}, "add_generation_prompt"),
        (
            {"add_generation_prompt": True, "continue_final_message": True},
            "add_generation_prompt",
        ),
        ({"messages": []}, "messages"),
        ({"logit_bias": {"x": 1}}, "logit_bias"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    http: RawHttp, more: dict[str, Any], param: str
) -> None:
    assert http.error(PATH, ask("hi", **more))["param"] == param


def test_a_model_without_thinking_answers_and_says_so() -> None:
    llm = scripted_llm(lambda _: "Yes.")
    turns = "{% for m in messages %}<|turn>{{ m.role }}\n{{ m.content }}<turn|>\n{% endfor %}"
    plain = replace(llm, template=JinjaTemplate(turns))
    with live_server([plain]) as live:
        found = RawHttp(live.url).post(PATH, ask("hi", reasoning_effort="medium"))
    assert found["gemma4"]["thinking"] is False
    assert "without thinking" in found["gemma4"]["warnings"][0]
