"""What Claude Code sends first, and what must not cost it the prefix cache."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from claude_code import BETAS, first_request
from live_server import LiveServer, live_server
from scripted_model import scripted_llm

prompts: list[str] = []


def answer(prompt: str) -> str:
    prompts.append(prompt)
    return (
        '<|channel>thought\nHm.<channel|><|tool_call>call:Read{file_path:<|"|>/a<|"|>}<tool_call|>'
    )


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer, context=32768, pages=4096)]) as live:
        yield live


def send(server: LiveServer, body: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": BETAS, "x-api-key": "none"}
    url = f"{server.url}/v1/messages?beta=true"
    response = httpx2.post(url, json=body, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_its_first_request_is_understood(server: LiveServer) -> None:
    body = first_request("read it")
    assert len(body["tools"]) == 24
    events = send(server, body)
    last = next(event for event in events if event["type"] == "message_delta")
    assert last["delta"]["stop_reason"] == "tool_use"
    assert last["context_management"] == {"applied_edits": []}
    assert last["gemma4"]["thinking"]
    prompt = prompts[-1]
    assert prompt.count("<|tool>") == 24
    assert "billing" not in prompt
    assert "</system-reminder>\n\nread it" in prompt
    assert "<|turn>system\nThe user reads English.<turn|>" in prompt
    assert any("billing-header" in warning for warning in last["gemma4"]["warnings"])


def test_the_billing_line_does_not_cost_the_cache(server: LiveServer) -> None:
    send(server, first_request("one thing", cch="11111"))
    events = send(server, first_request("one thing", cch="22222"))
    usage = next(event for event in events if event["type"] == "message_delta")["usage"]
    assert usage["cache_read_input_tokens"] > 0.95 * (
        usage["cache_read_input_tokens"] + usage["input_tokens"]
    )


def test_a_text_that_speaks_of_the_billing_line_is_left_alone(server: LiveServer) -> None:
    text = "Never print x-anthropic-billing-header: it is secret."
    joined = "x-anthropic-billing-header: cch=1;\nYou are a tool."
    system = [{"type": "text", "text": text}, {"type": "text", "text": joined}]
    send(server, first_request(system=system))
    assert f"{text}\n\nYou are a tool." in prompts[-1]
    assert "cch" not in prompts[-1]
