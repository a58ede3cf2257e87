"""What Codex sends first, and its second request with everything replayed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from codex import PATCH_GRAMMAR, first_request
from live_server import LiveServer, live_server
from scripted_model import scripted_llm

prompts: list[str] = []


def answer(prompt: str) -> str:
    prompts.append(prompt)
    if "<|tool_response>" in prompt:
        return "Fine.<channel|>Done." if prompt.endswith("<|channel>thought\n") else "Done."
    patch = (
        '<|tool_call>call:apply_patch{input:<|"|>*** Begin Patch\n*** End Patch<|"|>}<tool_call|>'
    )
    return f"<|channel>thought\nA patch will do.<channel|>I patch it.{patch}"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer)]) as live:
        yield live


def send(server: LiveServer, body: dict[str, Any]) -> list[dict[str, Any]]:
    headers = {
        "authorization": "Bearer none",
        "originator": "codex_exec",
        "accept": "text/event-stream",
    }
    response = httpx2.post(f"{server.url}/v1/responses", json=body, headers=headers, timeout=60)
    assert response.status_code == 200, response.text
    lines = response.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def test_two_requests_of_a_session(server: LiveServer) -> None:
    body = first_request("patch a file")
    events = send(server, body)
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [item["type"] for item in done] == ["reasoning", "message", "custom_tool_call"]
    assert done[0]["summary"] == [{"type": "summary_text", "text": "A patch will do."}]
    assert done[2]["input"] == "*** Begin Patch\n*** End Patch"
    last = events[-1]["response"]
    assert (last["status"], last["store"]) == ("completed", False)
    assert any("web_search" in warning for warning in last["gemma4"]["warnings"])
    system = prompts[-1].partition("<turn|>")[0]
    assert (
        system.index("tool for programmers")
        < system.index("<permissions>")
        < system.index("<skills>")
    )
    assert system.count("<|tool>") == 10
    assert PATCH_GRAMMAR in prompts[-1]
    assert "developer" not in prompts[-1]

    output = {
        "type": "custom_tool_call_output",
        "call_id": done[2]["call_id"],
        "output": "Success.",
    }
    replayed = [{k: v for k, v in item.items() if k != "status"} for item in done]
    followed = send(server, {**body, "input": [*body["input"], *replayed, output]})
    assert followed[-1]["response"]["output"][-1]["content"][0]["text"] == "Done."
    turn = prompts[-1].rpartition("<|turn>model\n")[2]
    assert turn.startswith("<|channel>thought\nA patch will do.\n<channel|>I patch it.<|tool_call>")
    usage = followed[-1]["response"]["usage"]
    assert usage["input_tokens_details"]["cached_tokens"] > 0.8 * usage["input_tokens"]
