"""Whoever hangs up frees what was asked within a second, whatever it is at."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from live_server import LiveServer, live_server, wait_until
from scripted_loader import NamedShelf, ScriptedLoader, server_of
from scripted_model import scripted_llm

from gemma4.llm.llm import LLM
from gemma4.serve.settings import Limits, ServeSettings

LONG = "word " * 3000


def ask(live: LiveServer, *, stream: bool, content: str = "long", **more: Any) -> socket.socket:
    """A request on a connection of its own, sent and not read."""
    body = json.dumps(
        {
            "messages": [{"role": "user", "content": content}],
            "stream": stream,
            "temperature": 0,
            **more,
        }
    ).encode()
    client = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n"
    client.sendall(head % len(body) + body)
    return client


@pytest.fixture(scope="module")
def llm() -> LLM:
    return scripted_llm(lambda _: LONG, max_requests=1, step_seconds=0.005)


@pytest.fixture
def server(llm: LLM) -> Iterator[LiveServer]:
    with live_server([llm]) as live:
        yield live


def is_free(live: LiveServer) -> Callable[[], bool]:
    """Nothing runs, nothing waits, nobody holds the model, no page is taken."""

    def look() -> bool:
        served = live.models.find(None)
        counters = served.llm.streams.engine.counters
        slot = live.models._slots[served.id]
        counts = (
            counters.running,
            counters.waiting,
            served.streams,
            slot.users,
            *counters.pages_held,
        )
        return not any(counts)

    return lambda: live.on_loop(look)


def running(live: LiveServer, streams: int = 1) -> Callable[[], bool]:
    served = live.models.find(None)
    return lambda: served.streams == streams and served.llm.streams.engine.counters.running == 1


@pytest.mark.parametrize("stream", [False, True])
def test_while_it_answers(server: LiveServer, stream: bool) -> None:
    client = ask(server, stream=stream)
    wait_until(running(server))
    time.sleep(0.1)
    client.close()
    assert wait_until(is_free(server)) < 1


@pytest.mark.parametrize("stream", [False, True])
def test_in_the_queue(server: LiveServer, stream: bool) -> None:
    first = ask(server, stream=True)
    wait_until(running(server))
    second = ask(server, stream=stream)
    wait_until(running(server, streams=2))
    second.close()
    assert wait_until(running(server, streams=1)) < 1
    first.close()
    assert wait_until(is_free(server)) < 1


@pytest.mark.parametrize("stream", [False, True])
def test_while_the_prompt_is_read(stream: bool) -> None:
    slow = scripted_llm(lambda _: LONG, step_seconds=0.15)
    with live_server([slow]) as live:
        client = ask(live, stream=stream, content="a b c " * 1000)
        served = live.models.find(None)
        wait_until(lambda: served.llm.streams.engine.counters.running == 1)
        client.close()
        assert wait_until(is_free(live)) < 1


@pytest.mark.parametrize("stream", [False, True])
def test_while_the_model_is_loaded(stream: bool) -> None:
    loader = ScriptedLoader()
    with server_of(NamedShelf("a"), loader) as live:
        client = ask(live, stream=stream)
        wait_until(lambda: loader.loads == ["a"])
        slot = live.models._slots["a"]
        wait_until(lambda: slot.users == 1)
        client.close()
        assert wait_until(lambda: slot.users == 0) < 1
        loader.gate.set()
        wait_until(lambda: slot.served is not None, seconds=30)
        assert wait_until(is_free(live)) < 1


def test_several_answers_of_one_request(server: LiveServer) -> None:
    client = ask(server, stream=True, n=3)
    wait_until(running(server, streams=3))
    client.close()
    assert wait_until(is_free(server)) < 1


def test_who_reads_nothing_is_let_go() -> None:
    limits = Limits(send_seconds=0.3)
    talker = scripted_llm(lambda _: "🙂 word " * 2000)
    with live_server([talker], ServeSettings(limits=limits)) as live:
        client = ask(live, stream=True, logprobs=True, top_logprobs=20)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        wait_until(is_free(live), seconds=20)
        client.close()
        assert httpx2.get(f"{live.url}/health", trust_env=False, timeout=30).status_code == 200


def test_the_next_request_is_served(server: LiveServer) -> None:
    for stream in (True, False):
        ask(server, stream=stream).close()
    wait_until(is_free(server))
    body = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 3}
    found = httpx2.post(f"{server.url}/v1/chat/completions", json=body, trust_env=False, timeout=30)
    assert found.status_code == 200
