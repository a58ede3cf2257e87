"""Every event and every response is what OpenAI's own types say, checked and not merely taken over."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from codex import first_request
from live_server import LiveServer, live_server
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter
from scripted_model import scripted_llm


def answer(prompt: str) -> str:
    if "find" in prompt.rpartition("<|turn>user")[2]:
        call = 'I look.<|tool_call>call:mcp__notes__find{cmd:<|"|>a<|"|>}<tool_call|>'
    else:
        call = '<|tool_call>call:apply_patch{input:<|"|>P<|"|>}<tool_call|>'
    return f"<|channel>thought\nHm.<channel|>{call}"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer)]) as live:
        yield live


@pytest.mark.parametrize("summary", [None, "auto"])
@pytest.mark.parametrize("words", ["find it", "patch it"])
def test_events_are_of_their_types(server: LiveServer, words: str, summary: str | None) -> None:
    body = first_request(words, reasoning={"effort": "low", "summary": summary})
    text = httpx2.post(f"{server.url}/v1/responses", json=body, timeout=60).text
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    events: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
    read = [events.validate_json(line) for line in lines]
    assert read[-1].type == "response.completed"
    named = [line[7:] for line in text.splitlines() if line.startswith("event: ")]
    assert named == [event.type for event in read]
    whole = httpx2.post(f"{server.url}/responses", json={**body, "stream": False}, timeout=60)
    response = Response.model_validate_json(whole.text)
    assert [item.type for item in response.output] == [
        item.type for item in read[-1].response.output
    ]
