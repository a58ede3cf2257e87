"""Anthropic's own client against a real server."""

import base64
import io
import time
from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import pytest
from live_server import LiveServer, live_server
from PIL import Image
from pydantic import BaseModel
from scripted_model import scripted_llm

CALL = '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>'
TOOL = {
    "name": "weather",
    "description": "Tell the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
prompts: list[str] = []


def answer(prompt: str) -> str:
    prompts.append(prompt)
    asked = prompt.rpartition("<|turn>user")[2]
    if "<|tool_response>" in asked:
        opened = prompt.endswith("<|channel>thought\n")  # by the template
        return "Now I know.<channel|>It is sunny." if opened else "It is sunny."
    if "both" in asked:
        return f"I look.{CALL}{CALL}"
    if "weather" in asked:
        return f"<|channel>thought\nLook it up.<channel|>I look.{CALL}"
    if "think" in asked:
        return "<|channel>thought\nTwo and two.<channel|>Four."
    if "json" in asked:
        return '{"total":4}'
    if "count" in asked:
        return "one two three four five six"
    if "long" in asked:
        return "word and " * 400
    return "Hello, world."


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer)]) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, words: Any, *, streamed: bool = False, **more: Any) -> Any:
    """One message either way: both must be the same."""
    messages = words if isinstance(words, list) else [{"role": "user", "content": words}]
    settings = {"model": "scripted", "max_tokens": 200, "messages": messages, **more}
    if not streamed:
        return client.messages.create(**settings)
    with client.messages.stream(**settings) as stream:
        return stream.get_final_message()


both_ways = pytest.mark.parametrize("streamed", [False, True])


@both_ways
def test_an_answer(client: anthropic.Anthropic, streamed: bool) -> None:
    found = ask(client, "hi", streamed=streamed)
    assert [block.type for block in found.content] == ["text"]
    assert found.content[0].text == "Hello, world."
    assert (found.stop_reason, found.stop_sequence) == ("end_turn", None)
    usage = found.usage
    assert usage.input_tokens + usage.cache_read_input_tokens > 5
    assert usage.output_tokens == 4
    if not streamed:  # the client's fold knows only its own fields
        assert found.to_dict()["gemma4"]["warnings"] == []


@both_ways
def test_a_thought_comes_back_in_the_next_turn(client: anthropic.Anthropic, streamed: bool) -> None:
    asked = [{"role": "user", "content": "weather?"}]
    thinking = {"type": "enabled", "budget_tokens": 1024}
    found = ask(client, asked, streamed=streamed, tools=[TOOL], thinking=thinking)
    thought, words, call = found.content
    assert (thought.type, thought.thinking) == ("thinking", "Look it up.")
    assert thought.signature
    assert (words.text, call.name, call.input) == ("I look.", "weather", {"city": "Ulm"})
    assert found.stop_reason == "tool_use"
    assert found.usage.output_tokens_details.thinking_tokens > 0
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    followed = [
        *asked,
        {"role": "assistant", "content": [block.to_dict() for block in found.content]},
        {"role": "user", "content": [result]},
    ]
    last = ask(client, followed, tools=[TOOL], thinking=thinking)
    assert [block.type for block in last.content] == ["thinking", "text"]
    assert last.content[1].text == "It is sunny."
    replayed = prompts[-1].rpartition("<|turn>model\n")[2]
    assert replayed.startswith(
        "<|channel>thought\nLook it up.\n<channel|>I look.<|tool_call>call:weather"
    )
    assert 'response:weather{value:<|"|>sunny<|"|>}' in replayed
    assert last.usage.cache_read_input_tokens > 0


def test_a_hidden_thought_travels_in_its_signature(client: anthropic.Anthropic) -> None:
    thinking = {"type": "adaptive", "display": "omitted"}
    asked = [{"role": "user", "content": "weather?"}]
    found = ask(client, asked, streamed=True, tools=[TOOL], thinking=thinking)
    assert found.content[0].thinking == ""
    result = {"type": "tool_result", "tool_use_id": found.content[2].id}
    ask(
        client,
        [
            *asked,
            {"role": "assistant", "content": [block.to_dict() for block in found.content]},
            {"role": "user", "content": [result]},
        ],
        tools=[TOOL],
        thinking=thinking,
    )
    assert "<|channel>thought\nLook it up.\n<channel|>" in prompts[-1]


def test_what_nobody_can_read_is_left_out_and_said(client: anthropic.Anthropic) -> None:
    said = [
        {"type": "redacted_thinking", "data": "EroBCkYI"},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "text", "text": "Done."},
    ]
    search = {"type": "web_search_20260209", "name": "web_search"}
    found = ask(
        client,
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": said},
            {"role": "user", "content": "hi"},
        ],
        tools=[TOOL, search],
    )
    warnings = found.to_dict()["gemma4"]["warnings"]
    assert [word for word in ("hid", "server_tool_use", "web_search_tool_result", "web_search_20260209")
            if not any(word in warning for warning in warnings)] == []  # fmt: skip
    assert "call:web_search" not in prompts[-1]
    assert "declaration:web_search" not in prompts[-1]


@both_ways
def test_a_stop_sequence(client: anthropic.Anthropic, streamed: bool) -> None:
    found = ask(client, "count", streamed=streamed, stop_sequences=["four", "five"])
    assert found.content[0].text.strip() == "one two three"
    assert (found.stop_reason, found.stop_sequence) == ("stop_sequence", "four")


@both_ways
def test_a_limit(client: anthropic.Anthropic, streamed: bool) -> None:
    found = ask(client, "long", streamed=streamed, max_tokens=7)
    assert (found.stop_reason, found.usage.output_tokens) == ("max_tokens", 7)


def test_events_in_order(server: LiveServer) -> None:
    body = {
        "model": "scripted",
        "max_tokens": 100,
        "stream": True,
        "messages": [{"role": "user", "content": "think"}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    text = httpx2.post(f"{server.url}/v1/messages?beta=true", json=body).text
    names = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    steps = [name for index, name in enumerate(names) if name != names[index - 1]]
    block = ["content_block_start", "content_block_delta", "content_block_stop"]
    assert steps == ["message_start", "ping", *block, *block, "message_delta", "message_stop"]
    assert '"signature_delta"' in text


def test_one_call_at_most(client: anthropic.Anthropic) -> None:
    several = ask(client, "both", tools=[TOOL])
    assert [block.type for block in several.content] == ["text", "tool_use", "tool_use"]
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    found = ask(client, "both", tools=[TOOL], tool_choice=choice)
    assert [block.type for block in found.content].count("tool_use") == 1


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "other"}])
def test_a_call_is_made_where_one_must_be(
    client: anthropic.Anthropic, choice: dict[str, str]
) -> None:
    schema = {
        "type": "object",
        "properties": {"code": {"enum": ["a", "b"]}},
        "required": ["code"],
        "additionalProperties": False,
    }
    other = {"name": "other", "input_schema": schema}
    tools = [other] if choice["type"] == "any" else [TOOL, other]
    found = ask(client, "hi", tools=tools, tool_choice=choice, max_tokens=60)
    assert found.content[0].name == "other"
    assert found.content[0].input["code"] in ("a", "b")
    assert found.stop_reason in ("tool_use", "max_tokens")


def test_no_call_is_made_where_none_may_be(client: anthropic.Anthropic) -> None:
    found = ask(client, "weather?", tools=[TOOL], tool_choice={"type": "none"}, max_tokens=20)
    assert "tool_use" not in [block.type for block in found.content]
    assert "declaration:weather" in prompts[-1]  # so that the cached prompt stays what it was


class Sum(BaseModel):
    total: int


def test_a_parsed_answer(client: anthropic.Anthropic) -> None:
    found = client.messages.parse(
        model="scripted",
        max_tokens=50,
        messages=[{"role": "user", "content": "as json"}],
        output_format=Sum,
    )
    assert found.parsed_output == Sum(total=4)


def test_results_of_tools(client: anthropic.Anthropic) -> None:
    calls = [
        {"type": "tool_use", "id": f"t{n}", "name": "weather", "input": {"city": f"c{n}"}}
        for n in range(4)
    ]
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    plain = {"type": "text", "media_type": "text/plain", "data": "paper"}
    results = [
        {"type": "tool_result", "tool_use_id": "t1", "content": "broken", "is_error": True},
        {
            "type": "tool_result",
            "tool_use_id": "t0",
            "content": [{"type": "text", "text": "cold"}, {"type": "document", "source": plain}],
        },
        {"type": "tool_result", "tool_use_id": "t2"},
        {
            "type": "tool_result",
            "tool_use_id": "t3",
            "content": [{"type": "document", "source": pdf}],
        },
    ]
    found = ask(
        client,
        [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": calls},
            {"role": "user", "content": [{"type": "text", "text": "and?"}, *results[:2]]},
            {"role": "user", "content": results[2:]},
        ],
        tools=[TOOL],
    )
    said = prompts[-1].partition("<|turn>model\n")[2]
    places = [
        said.find(word) for word in ("cold\n\npaper", "Error:\n\nbroken", "cannot be read", "and?")
    ]
    assert places == sorted(places)
    assert places[0] > 0
    assert any("application/pdf" in one for one in found.to_dict()["gemma4"]["warnings"])


def test_a_call_without_a_result_and_a_result_without_a_call_are_refused(
    client: anthropic.Anthropic,
) -> None:
    call = {"type": "tool_use", "id": "t9", "name": "weather", "input": {}}
    asked = {"role": "user", "content": "hi"}
    with pytest.raises(anthropic.BadRequestError, match="no result was sent for call t9"):
        ask(client, [asked, {"role": "assistant", "content": [call]}, asked], tools=[TOOL])
    result = {"type": "tool_result", "tool_use_id": "t8", "content": "x"}
    with pytest.raises(
        anthropic.BadRequestError, match=r"messages\[0\].content\[0\] is the result"
    ):
        ask(client, [{"role": "user", "content": [result]}], tools=[TOOL])


def test_pictures_in_a_message_and_from_a_tool(client: anthropic.Anthropic) -> None:
    file = io.BytesIO()
    Image.new("RGB", (96, 96), "red").save(file, "PNG")
    source = {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(file.getvalue()).decode(),
    }
    picture = {"type": "image", "source": source}
    call = {"type": "tool_use", "id": "t0", "name": "weather", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t0", "content": [picture]}
    found = ask(
        client,
        [
            {"role": "user", "content": [picture, {"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result, {"type": "text", "text": "and now?"}]},
        ],
        tools=[TOOL],
    )
    media = found.to_dict()["gemma4"]["media"]
    assert [medium["kind"] for medium in media] == ["image", "image"]
    far = {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}}
    with pytest.raises(anthropic.BadRequestError, match="not fetched"):
        ask(client, [{"role": "user", "content": [far]}])


def test_documents(client: anthropic.Anthropic) -> None:
    source = {"type": "text", "media_type": "text/plain", "data": "Grass is green."}
    document = {"type": "document", "source": source, "title": "On grass"}
    ask(client, [{"role": "user", "content": [document, {"type": "text", "text": "hi"}]}])
    assert "On grass\nGrass is green.\n\nhi" in prompts[-1]
    pdf = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    with pytest.raises(
        anthropic.BadRequestError, match="application/pdf, which this server cannot"
    ):
        ask(client, [{"role": "user", "content": [{"type": "document", "source": pdf}]}])


def test_the_last_message_of_the_model_is_gone_on_with(client: anthropic.Anthropic) -> None:
    said = {"role": "assistant", "content": "Once upon"}
    ask(client, [{"role": "user", "content": "hi"}, said])
    assert prompts[-1].endswith("<|turn>model\nOnce upon")


def test_tokens_are_counted_as_they_are_used(client: anthropic.Anthropic) -> None:
    messages = [{"role": "user", "content": "a question that nobody asked yet"}]
    more: Any = {"messages": messages, "system": "Be short.", "tools": [TOOL]}
    counted = client.messages.count_tokens(model="scripted", **more)
    usage = client.messages.create(model="scripted", max_tokens=5, **more).usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens
    too_long = [{"role": "user", "content": "a b " * 9000}]
    assert client.messages.count_tokens(model="scripted", messages=too_long).input_tokens > 9000


@pytest.mark.parametrize(
    ("more", "status", "kind", "message"),
    [
        ({"model": "other"}, 404, "not_found_error", "scripted"),
        ({"max_tokens": 0}, 400, "invalid_request_error", "max_tokens"),
        ({"extra_body": {"temperature": -1.0}}, 400, "invalid_request_error", "temperature"),
        ({"tool_choice": {"type": "any"}}, 400, "invalid_request_error", "there is no tool"),
        ({"tool_choice": {"type": "some"}}, 400, "invalid_request_error", "tool_choice.type"),
        ({"thinking": {"type": "perhaps"}}, 400, "invalid_request_error", "thinking.type"),
        (
            {"output_config": {"format": {"type": "json_schema"}}},
            400,
            "invalid_request_error",
            "form",
        ),
        (
            {"messages": [{"role": "user", "content": "a b " * 9000}]},
            400,
            "invalid_request_error",
            "prompt is too long: 18",
        ),
    ],
)
@both_ways
def test_errors_have_their_types(
    client: anthropic.Anthropic, more: dict[str, Any], status: int, kind: str, message: str,
    streamed: bool,
) -> None:  # fmt: skip
    settings = {"words": [{"role": "user", "content": "hi"}], **more}
    words = settings.pop("messages", settings.pop("words", None))
    with pytest.raises(anthropic.APIStatusError) as caught:
        ask(client, words, streamed=streamed, **settings)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == kind
    assert message in caught.value.body["error"]["message"]


def test_an_error_in_the_middle_ends_the_stream() -> None:
    """The worker is closed while it answers: the status line has long gone out."""
    slow = scripted_llm(lambda _: "word and " * 400, step_seconds=0.02)
    with (
        live_server([slow]) as live,
        anthropic.Anthropic(base_url=live.url, api_key="none", max_retries=0) as client,
    ):
        stream = client.messages.create(
            model="scripted",
            max_tokens=900,
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
        )
        events = iter(stream)
        for _ in range(4):
            next(events)
        live.models.find("scripted").worker.close()
        with pytest.raises(anthropic.APIStatusError, match="was unloaded"):
            list(events)


def test_leaving_a_stream_frees_its_pages(client: anthropic.Anthropic, server: LiveServer) -> None:
    engine = server.models.find("scripted").llm.streams.engine
    with client.messages.stream(
        model="scripted", max_tokens=4000, messages=[{"role": "user", "content": "long"}]
    ) as stream:
        next(iter(stream))
    for _ in range(500):
        if engine.is_idle:
            break
        time.sleep(0.02)
    assert engine.is_idle
