"""OpenAI's own client against a real server: responses, whole and streamed."""

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from live_server import LiveServer, live_server
from PIL import Image
from pydantic import BaseModel
from scripted_model import scripted_llm

CALL = '<|tool_call>call:weather{city:<|"|>Ulm<|"|>}<tool_call|>'
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "Tell the weather.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}
PATCH = '<|tool_call>call:apply_patch{input:<|"|>*** Begin Patch<|"|>}<tool_call|>'
prompts: list[str] = []


def answer(prompt: str) -> str:
    prompts.append(prompt)
    asked = prompt.rpartition("<|turn>user")[2]
    if "<|tool_response>" in asked:
        opened = prompt.endswith("<|channel>thought\n")  # by the template
        return "Now I know.<channel|>It is sunny." if opened else "It is sunny."
    if "json" in asked:
        return (
            "<|channel>thought\nTwo and two.<channel|>" if "think" in asked else ""
        ) + '{"total":4}'
    if "both" in asked:
        return f"I look.{CALL}{CALL}"
    if "weather" in asked:
        return f"<|channel>thought\nLook it up.<channel|>I look.{CALL}"
    if "patch" in asked:
        return PATCH
    if "notes" in asked:
        return "<|tool_call>call:mcp__notes__find{}<tool_call|>"
    if "think" in asked:
        return "<|channel>thought\nTwo and two.<channel|>Four."
    if "long" in asked:
        return "word and " * 400
    return "Hello, world."


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer, pages=2048)]) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[openai.OpenAI]:
    url = f"{server.url}/v1"
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def ask(client: openai.OpenAI, words: Any, *, streamed: bool = False, **more: Any) -> Any:
    """One response either way: both must be the same."""
    settings = {"model": "scripted", "input": words, **more}
    if not streamed:
        return client.responses.create(**settings)
    with client.responses.stream(**settings) as stream:
        for event in stream:
            if event.type in ("response.incomplete", "response.failed"):
                return event.response
        return stream.get_final_response()


both_ways = pytest.mark.parametrize("streamed", [False, True])


@both_ways
def test_an_answer(client: openai.OpenAI, streamed: bool) -> None:
    found = ask(client, "hi", streamed=streamed, metadata={"a": "b"}, instructions="Be kind.")
    assert found.output_text == "Hello, world."
    assert (found.status, found.error, found.incomplete_details) == ("completed", None, None)
    assert found.usage.output_tokens == 4
    assert found.usage.total_tokens == found.usage.input_tokens + 4
    assert (found.metadata, found.instructions) == ({"a": "b"}, "Be kind.")
    assert found.to_dict()["gemma4"]["warnings"] == []
    assert "<|turn>system\nBe kind.<turn|>" in prompts[-1]


EVENTS = {
    "think": [
        "created", "in_progress",
        "output_item.added", "content_part.added", "reasoning_text.delta", "reasoning_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "completed",
    ],
    "weather?": [
        "created", "in_progress",
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.done", "reasoning_summary_part.done", "output_item.done",
        "output_item.added", "content_part.added", "output_text.delta", "output_text.done",
        "content_part.done", "output_item.done",
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done",
        "output_item.done",
        "completed",
    ],
    "patch": [
        "created", "in_progress",
        "output_item.added", "custom_tool_call_input.delta", "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ],
}  # fmt: skip


@pytest.mark.parametrize("words", EVENTS)
def test_events_in_order(client: openai.OpenAI, words: str) -> None:
    summary = {"summary": "auto"} if words == "weather?" else {}
    stream = client.responses.create(
        model="scripted",
        input=words,
        stream=True,
        tools=[TOOL, {"type": "custom", "name": "apply_patch"}],
        reasoning={"effort": "low", **summary},
    )
    events: list[Any] = list(stream)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    names = [event.type.removeprefix("response.") for event in events]
    assert [n for i, n in enumerate(names) if i == 0 or n != names[i - 1]] == EVENTS[words]
    response = events[-1].response
    for event in events:
        if hasattr(event, "item_id"):
            assert event.item_id == response.output[event.output_index].id
        if event.type == "response.output_item.done":
            assert event.item == response.output[event.output_index]


@both_ways
def test_a_call_its_output_and_the_thought_before_it(client: openai.OpenAI, streamed: bool) -> None:
    """Stateless, as Codex is: all that comes back is what was sent."""
    asked = [{"role": "user", "content": "weather?"}]
    more: Any = {
        "tools": [TOOL],
        "reasoning": {"effort": "low"},
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    found = ask(client, asked, streamed=streamed, **more)
    thought, message, call = found.output
    assert thought.content[0].text == "Look it up."
    assert (message.content[0].text, call.name, call.arguments) == (
        "I look.",
        "weather",
        '{"city": "Ulm"}',
    )
    assert found.usage.output_tokens_details.reasoning_tokens > 0
    sealed = {"type": "reasoning", "summary": [], "encrypted_content": thought.encrypted_content}
    output = {
        "type": "function_call_output",
        "call_id": call.call_id,
        "output": [{"type": "input_text", "text": "sunny"}],
    }
    followed = ask(client, [*asked, sealed, message.to_dict(), call.to_dict(), output], **more)
    assert followed.output_text == "It is sunny."
    replayed = prompts[-1].rpartition("<|turn>model\n")[2]
    assert replayed.startswith(
        "<|channel>thought\nLook it up.\n<channel|>I look.<|tool_call>call:weather"
    )
    assert 'response:weather{value:<|"|>sunny<|"|>}' in replayed
    assert followed.usage.input_tokens_details.cached_tokens > 0


def test_a_conversation_that_the_server_keeps(client: openai.OpenAI) -> None:
    effort: Any = {"reasoning": {"effort": "low"}}
    first = ask(client, "weather?", tools=[TOOL], instructions="First.", **effort)
    output = {
        "type": "function_call_output",
        "call_id": first.output[-1].call_id,
        "output": "sunny",
    }
    second = ask(client, [output], previous_response_id=first.id, tools=[TOOL])
    assert second.output_text == "It is sunny."
    assert second.previous_response_id == first.id
    assert "First." not in prompts[-1]
    assert "I look.<|tool_call>" in prompts[-1]
    third = ask(client, "and now?", previous_response_id=second.id)
    assert third.output_text == "Hello, world."
    assert "It is sunny.<turn|>\n<|turn>user\nand now?" in prompts[-1]
    reference = {"type": "item_reference", "id": second.output[-1].id}
    ask(client, [{"role": "user", "content": "hi"}, reference, {"role": "user", "content": "so?"}])
    assert "<|turn>model\nIt is sunny.<turn|>" in prompts[-1]


def test_what_is_not_kept_cannot_be_referred_to(client: openai.OpenAI) -> None:
    found = ask(client, "hi", store=False)
    with pytest.raises(openai.NotFoundError, match=found.id):
        client.responses.retrieve(found.id)
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "hi", previous_response_id=found.id)
    assert caught.value.param == "previous_response_id"
    with pytest.raises(openai.NotFoundError, match="msg_none"):
        ask(client, [{"type": "item_reference", "id": "msg_none"}])


def test_outputs_that_fit_no_call_and_calls_without_output(client: openai.OpenAI) -> None:
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    with pytest.raises(openai.BadRequestError, match="no result was sent for call c1"):
        ask(client, [{"role": "user", "content": "hi"}, call], tools=[TOOL])
    output = {"type": "function_call_output", "call_id": "c2", "output": "x"}
    with pytest.raises(openai.BadRequestError, match="c2") as caught:
        ask(client, [output], tools=[TOOL])
    assert caught.value.param == "input[0]"


@both_ways
def test_freeform_tools_and_name_spaces(client: openai.OpenAI, streamed: bool) -> None:
    patch = {
        "type": "custom",
        "name": "apply_patch",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: BEGIN"},
    }
    notes = {
        "type": "namespace",
        "name": "mcp__notes",
        "description": "All about notes.",
        "tools": [{"type": "function", "name": "find", "parameters": {"type": "object"}}],
    }
    tools = [patch, notes, {"type": "web_search"}]
    asked = [{"role": "user", "content": "patch"}]
    found = ask(client, asked, tools=tools, streamed=streamed)
    call = found.output[0]
    assert (call.type, call.name, call.input) == (
        "custom_tool_call",
        "apply_patch",
        "*** Begin Patch",
    )
    assert "start: BEGIN" in prompts[-1]
    assert "All about notes." in prompts[-1]
    warnings = found.to_dict()["gemma4"]["warnings"]
    assert [any(word in one for one in warnings) for word in ("web_search", "the grammar of")] == [
        True,
        True,
    ]
    output = {"type": "custom_tool_call_output", "call_id": call.call_id, "output": "done"}
    ask(client, [*asked, call.to_dict(), output], tools=tools)
    assert 'call:apply_patch{input:<|"|>*** Begin Patch<|"|>}' in prompts[-1]
    found = ask(client, "notes", tools=tools, streamed=streamed)
    call = found.output[0]
    assert (call.type, call.namespace, call.name, call.arguments) == (
        "function_call",
        "mcp__notes",
        "find",
        "{}",
    )
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "none"}
    ask(client, [{"role": "user", "content": "notes"}, call.to_dict(), output], tools=tools)
    assert "response:mcp__notes__find" in prompts[-1]


def test_one_call_at_most(client: openai.OpenAI) -> None:
    assert len(ask(client, "both", tools=[TOOL]).output) == 3
    found = ask(client, "both", tools=[TOOL], parallel_tool_calls=False)
    assert [item.type for item in found.output].count("function_call") == 1


OTHER = {
    "type": "function",
    "name": "other",
    "parameters": {
        "type": "object",
        "properties": {"code": {"enum": ["a", "b"]}},
        "required": ["code"],
        "additionalProperties": False,
    },
    "strict": True,
}
_ALLOWED = {"type": "allowed_tools", "tools": [{"type": "function", "name": "other"}]}


@pytest.mark.parametrize(
    "choice", [{"type": "function", "name": "other"}, {**_ALLOWED, "mode": "required"}]
)
def test_a_call_is_made_where_one_must_be(client: openai.OpenAI, choice: dict[str, Any]) -> None:
    found = ask(client, "hi", tools=[TOOL, OTHER], tool_choice=choice, max_output_tokens=60)
    assert found.output[0].name == "other"
    assert json.loads(found.output[0].arguments)["code"] in ("a", "b")


@pytest.mark.parametrize("choice", ["none", {**_ALLOWED, "mode": "auto"}])
def test_no_call_is_made_where_none_may_be(client: openai.OpenAI, choice: Any) -> None:
    more: Any = {"tools": [TOOL, OTHER], "tool_choice": choice, "max_output_tokens": 40}
    found = ask(client, "weather?", **more)
    assert "weather" not in [getattr(item, "name", None) for item in found.output]
    assert "declaration:weather" in prompts[-1]  # so that the cached prompt stays what it was


class Sum(BaseModel):
    total: int


def test_a_parsed_answer(client: openai.OpenAI) -> None:
    found = client.responses.parse(
        model="scripted", input="think in json", text_format=Sum, reasoning={"effort": "low"}
    )
    assert found.output_parsed == Sum(total=4)
    assert found.output[0].type == "reasoning"
    assert found.text is not None
    assert found.text.format is not None
    assert found.text.format.type == "json_schema"
    some = ask(client, "json", text={"format": {"type": "json_object"}})
    assert json.loads(some.output_text) == {"total": 4}


@both_ways
def test_a_limit_makes_it_incomplete(client: openai.OpenAI, streamed: bool) -> None:
    found = ask(client, "long", streamed=streamed, max_output_tokens=7)
    assert (found.status, found.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert (found.output[0].status, found.usage.output_tokens) == ("incomplete", 7)


def test_log_probabilities_of_what_was_said(client: openai.OpenAI) -> None:
    found = ask(
        client,
        "think",
        reasoning={"effort": "low"},
        include=["message.output_text.logprobs"],
        top_logprobs=2,
    )
    tokens = found.output[1].content[0].logprobs
    assert "".join(token.token for token in tokens) == "Four."
    assert len(tokens[0].top_logprobs) == 2


def test_pictures_and_files(client: openai.OpenAI) -> None:
    file = io.BytesIO()
    Image.new("RGB", (96, 96), "red").save(file, "PNG")
    url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    words = f"data:text/plain;base64,{base64.b64encode(b'Grass is green.').decode()}"
    picture = {"type": "input_image", "image_url": url, "detail": "original"}
    note = {"type": "input_file", "filename": "a.txt", "file_data": words}
    call = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "c1", "output": [picture]}
    content = [picture, note, {"type": "input_text", "text": "hi"}]
    found = ask(client, [{"role": "user", "content": content}, call, output], tools=[TOOL])
    assert len(found.to_dict()["gemma4"]["media"]) == 2
    assert "a.txt:\nGrass is green.\n\nhi" in prompts[-1]
    pdf = {**note, "file_data": "data:application/pdf;base64,JVBERi0="}
    with pytest.raises(openai.BadRequestError, match="application/pdf, which this server cannot"):
        ask(client, [{"role": "user", "content": [pdf]}])


def test_the_oldest_turns_are_left_out_where_that_was_asked_for(client: openai.OpenAI) -> None:
    turns = [
        {"role": role, "content": f"{role} {index} " + "a b " * 900}
        for index in range(6)
        for role in ("user", "assistant")
    ]
    asked = [*turns, {"role": "user", "content": "hi"}]
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, asked)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")
    found = ask(client, asked, truncation="auto", instructions="Stay.")
    assert found.usage.input_tokens < 8192
    assert "oldest of 7 turns were left out" in found.to_dict()["gemma4"]["warnings"][0]
    assert "Stay." in prompts[-1]
    assert "user 5" in prompts[-1]
    assert "user 0" not in prompts[-1]
    with pytest.raises(openai.BadRequestError, match="8192"):
        ask(client, "a b " * 9000, truncation="auto")


def test_tokens_are_counted_as_they_are_used(client: openai.OpenAI) -> None:
    more: Any = {"input": "a question", "instructions": "Be short.", "tools": [TOOL]}
    counted = client.responses.input_tokens.count(model="scripted", **more)
    assert counted.object == "response.input_tokens"
    usage = client.responses.create(model="scripted", **more).usage
    assert usage is not None
    assert counted.input_tokens == usage.input_tokens


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"input": []}, "input is empty"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"background": True, "store": False}, "background needs store"),
        ({"tool_choice": "required"}, "there is no tool"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type is"),
        ({"text": {"format": {"type": "poem"}}}, "text.format.type is"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format has no schema"),
        ({"truncation": "some"}, "truncation"),
        ({"reasoning": {"effort": "enormous"}}, "reasoning.effort"),
        ({"input": [{"type": "riddle"}]}, r"input\[0\] is of type 'riddle'"),
        ({"input": [{"role": "user", "content": 5}]}, r"input\[0\].content must be a list"),
        ({"tools": [{"type": "function", "function": 3}]}, "function must be an object"),
    ],
)
def test_what_cannot_be_done_is_said(
    client: openai.OpenAI, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message):
        client.responses.create(**{"model": "scripted", "input": "hi", **more})


def test_a_failure_in_the_middle_is_told() -> None:
    """The worker is closed while it answers: the status line has long gone out."""
    slow = scripted_llm(lambda _: "word and " * 400, step_seconds=0.02)
    with (
        live_server([slow]) as live,
        openai.OpenAI(base_url=f"{live.url}/v1", api_key="none", max_retries=0) as client,
    ):
        stream = client.responses.create(model="scripted", input="hi", stream=True)
        events = iter(stream)
        for _ in range(6):
            next(events)
        live.models.find("scripted").worker.close()
        last: Any = list(events)[-1]
        assert (last.type, last.response.status) == ("response.failed", "failed")
        assert "was unloaded" in last.response.error.message
        assert last.response.output[0].status == "incomplete"
