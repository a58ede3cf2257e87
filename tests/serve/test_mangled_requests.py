"""Real requests with one thing in them replaced by another: refused in words, or answered; never a 500."""

import copy
import random
from collections.abc import Callable, Iterator
from typing import Any

import claude_code
import codex
import httpx2
import pytest
from live_server import LiveServer, live_server
from scripted_model import scripted_llm

JUNK: list[Any] = [None, 0, -1, 2.5, True, "", "x", [], ["x"], [1], [None], {}, {"type": "x"}, [{}]]
ROUNDS = 60


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server([scripted_llm(lambda _: "Hello.", context=32768, pages=4096)]) as live:
        yield live


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """All containers with all their keys."""
    keys = list(value) if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


def claude_request() -> dict[str, Any]:
    body = claude_code.first_request(stream=False, max_tokens=4)
    search = {"type": "web_search_20260209", "name": "web_search"}
    body["tools"] = [*body["tools"][:2], search]
    body["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    said = [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "tool_use", "id": "t", "name": "Bash", "input": {"file_path": "/a"}},
    ]
    source = {"type": "text", "media_type": "text/plain", "data": "d"}
    found = [{"type": "text", "text": "r"}, {"type": "document", "source": source}]
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": False, "content": found}
    body["messages"] += [
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result]},
    ]
    return body


def codex_request() -> dict[str, Any]:
    body = codex.first_request(stream=False, max_output_tokens=4, text={"format": {"type": "text"}})
    call = {"call_id": "c", "name": "find", "namespace": "mcp__notes", "arguments": "{}"}
    found = [{"type": "input_text", "text": "r"}]
    shown = [{"type": "summary_text", "text": "Hm."}]
    file = {"type": "input_file", "filename": "a", "file_data": "data:text/plain;base64,YWI="}
    body["input"] += [
        {"type": "reasoning", "summary": shown, "content": None},
        {"type": "function_call", **call},
        {"type": "function_call_output", "call_id": "c", "output": found},
        {"type": "custom_tool_call", "call_id": "d", "name": "apply_patch", "input": "p"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": "done"},
        {"role": "user", "content": [file]},
    ]
    body["tools"] = body["tools"][-4:]
    return body


@pytest.mark.parametrize(
    ("path", "request_of"), [("messages", claude_request), ("responses", codex_request)]
)
def test_no_request_breaks_the_server(
    server: LiveServer, path: str, request_of: Callable[[], dict[str, Any]]
) -> None:
    chance = random.Random(path)
    refused = 0
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        untouched = client.post(f"/v1/{path}", json=request_of())
        assert untouched.status_code == 200, untouched.text
        for _ in range(ROUNDS):
            body = copy.deepcopy(request_of())
            container, key = chance.choice(list(places(body)))
            was, now = container[key], chance.choice(JUNK)
            if key in ("stream", "background"):
                continue
            container[key] = now
            response = client.post(f"/v1/{path}", json=body)
            assert response.status_code < 500, f"{key}: {was!r} → {now!r}: {response.text}"
            refused += response.status_code >= 400
            if response.status_code >= 400:
                assert response.json()["error"]["message"], f"{key}: {was!r} → {now!r}"
    assert 5 < refused < ROUNDS
