"""OpenAI's own client against a real server."""

from collections.abc import Iterator

import openai
import pytest
from live_server import LiveServer, live_server
from scripted_model import scripted_llm


def answer(prompt: str) -> str:
    if "weather" in prompt and "<|tool_response>" not in prompt:
        return '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>'
    if "think" in prompt:
        return "<|channel>thought\nTwo and two.<channel|>Four."
    if "long" in prompt:
        return "word " * 400
    return "Hello, world."


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer)]) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0)


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
    assert followed.choices[0].message.content == "Hello, world."


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
    assert [model.id for model in client.models.list()] == ["scripted"]


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
        __import__("time").sleep(0.02)
    assert engine.is_idle
