"""What goes wrong in the middle of an answer, and who hangs up."""

import json
from collections.abc import Iterator

import httpx2
import ollama
import pytest
from live_server import LiveServer, live_server, wait_until
from ollama_script import answer
from scripted_model import scripted_llm

LONG = [{"role": "user", "content": "long"}]


@pytest.fixture
def slow() -> Iterator[LiveServer]:
    with live_server([scripted_llm(answer, step_seconds=0.01)]) as live:
        yield live


def test_an_error_in_the_middle_is_the_last_line(slow: LiveServer) -> None:
    body = {"model": "scripted", "messages": LONG}
    with httpx2.stream("POST", f"{slow.url}/api/chat", json=body, timeout=60) as found:
        lines = found.iter_lines()
        assert json.loads(next(lines))["done"] is False
        slow.models.find("scripted").worker.close()
        last = [json.loads(line) for line in lines][-1]
    assert found.status_code == 200
    assert last.keys() == {"error"}
    assert "unloaded" in last["error"]


def test_the_client_raises_it(slow: LiveServer) -> None:
    parts = ollama.Client(slow.url).chat("scripted", messages=LONG, stream=True)
    next(parts)
    slow.models.find("scripted").worker.close()
    with pytest.raises(ollama.ResponseError, match="unloaded"):
        list(parts)


def test_who_leaves_a_stream_ends_the_answer(slow: LiveServer) -> None:
    engine = slow.models.find("scripted").llm.streams.engine
    body = {"model": "scripted", "prompt": "long"}
    with httpx2.stream("POST", f"{slow.url}/api/generate", json=body, timeout=60) as found:
        next(found.iter_lines())
        assert not engine.is_idle
    wait_until(lambda: engine.is_idle)


def test_who_does_not_wait_ends_the_answer(slow: LiveServer) -> None:
    engine = slow.models.find("scripted").llm.streams.engine
    body = {"model": "scripted", "prompt": "long", "stream": False}
    with pytest.raises(httpx2.ReadTimeout), httpx2.Client(timeout=0.3) as one:
        one.post(f"{slow.url}/api/generate", json=body)
    wait_until(lambda: engine.is_idle)
