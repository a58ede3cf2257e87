"""Clients as bad as they come: each is told what is wrong, and the next one is served."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from live_server import LiveServer, live_server, wait_until
from scripted_model import scripted_llm

from gemma4.serve.settings import Limits, ServeSettings

PATH = "/v1/chat/completions"
QUICK = 15.0  # seconds; what is wrong takes minutes, and the cores may be shared with others


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    llm = scripted_llm(
        lambda prompt: "word " * 2000 if "long" in prompt else "Hello.", step_seconds=0.001
    )
    limits = Limits(body_seconds=0.5, header_seconds=0.5, body_bytes=20_000_000)
    with live_server([llm], ServeSettings(limits=limits)) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    """A client; when its test is over the server still answers and holds nothing."""
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client
        served = server.models.find(None)
        wait_until(lambda: served.streams == 0 and served.llm.streams.engine.is_idle)
        answer = client.post(PATH, json=chat("hi"))
        assert answer.json()["choices"][0]["message"]["content"] == "Hello."
        server.on_loop(server.models.check)


def chat(content: Any, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], "temperature": 0, **more}


def post(client: httpx2.Client, body: Any) -> httpx2.Response:
    started = time.monotonic()
    found = (
        client.post(PATH, json=body)
        if not isinstance(body, bytes)
        else client.post(PATH, content=body)
    )
    assert time.monotonic() - started < QUICK
    return found


@pytest.mark.usefixtures("client")
def test_a_client_that_is_killed(server: LiveServer) -> None:
    code = (
        "import socket,sys,time\n"
        f"s=socket.create_connection(('127.0.0.1',{server.port}))\n"
        f"b={json.dumps(chat('long', stream=True))!r}.encode()\n"
        f"h=b'POST {PATH} HTTP/1.1\\r\\nhost: localhost\\r\\ncontent-length: %d\\r\\n\\r\\n'\n"
        "s.sendall(h % len(b) + b)\n"
        "s.recv(100)\nprint('read', flush=True)\ntime.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"read\n"
        os.kill(process.pid, signal.SIGKILL)
    served = server.models.find(None)
    assert wait_until(lambda: served.streams == 0) < 1


def test_a_client_that_resets(client: httpx2.Client, server: LiveServer) -> None:
    for _ in range(10):
        with socket.create_connection(("127.0.0.1", server.port)) as raw:
            body = json.dumps(chat("long", stream=True)).encode()
            head = f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            raw.sendall(head.encode() + body)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert client.get("/health").status_code == 200


def test_slow_readers_hold_nobody_up(client: httpx2.Client) -> None:
    slow = [client.stream("POST", PATH, json=chat("long", stream=True)) for _ in range(4)]
    opened = [one.__enter__() for one in slow]
    try:
        assert post(client, chat("hi")).status_code == 200
    finally:
        for one, answer in zip(slow, opened, strict=True):
            answer.close()
            one.__exit__(None, None, None)


def test_many_half_sent_bodies(client: httpx2.Client, server: LiveServer) -> None:
    raws = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(50)]
    for raw in raws:
        raw.sendall(
            f"POST {PATH} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999\r\n\r\n{{".encode()
        )
    assert post(client, chat("hi")).status_code == 200
    for raw in raws:
        raw.settimeout(5)
        assert raw.recv(20).startswith(b"HTTP/1.1 408")
        raw.close()


@pytest.mark.parametrize("body", [b"[" * 2**20, b'{"a":' * 200_000, b'{"messages":' + b"[" * 2**20])
def test_a_megabyte_of_brackets(client: httpx2.Client, body: bytes) -> None:
    assert post(client, body).status_code == 400


def test_deep_schemas_and_arguments_within_the_bound(client: httpx2.Client) -> None:
    deep: dict[str, Any] = {"type": "object"}
    for _ in range(50):
        deep = {"type": "object", "properties": {"a": deep}}
    tool = {"type": "function", "function": {"name": "f", "parameters": deep}}
    assert post(client, chat("hi", tools=[tool])).status_code in (200, 400)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 10**10**10 }}",
        "{% for i in range(10**9) %}x{% endfor %}",
        "{{ ''.__class__.__mro__ }}",
        "<|turn>model\n<turn|>" * 500,
        "{%" * 5000,
    ],
)
@pytest.mark.parametrize("role", ["user", "system", "tool-result"])
def test_a_template_bomb_in_a_message_is_text(client: httpx2.Client, text: str, role: str) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
    if role == "tool-result":
        call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": text},
        ]
    else:
        messages.insert(0, {"role": role, "content": text})
    found = post(client, {"messages": messages, "temperature": 0, "max_tokens": 5})
    assert found.status_code == 200, found.text
    assert found.json()["usage"]["prompt_tokens"] > 10


def test_a_template_from_the_client_is_not_run(client: httpx2.Client) -> None:
    body = chat("hi", chat_template="{{ 10**10**10 }}", chat_template_kwargs={"x": "{{ 1 }}"})
    assert post(client, body).status_code == 200


@pytest.mark.parametrize(
    "text", ["\x00", "\x1b[2J", "\u202e", "\uffff", "a\u0300" * 1000, "👩‍👩‍👧‍👦" * 50]
)
def test_odd_characters(client: httpx2.Client, text: str) -> None:
    assert post(client, chat(text, max_tokens=5)).status_code == 200


def test_invalid_utf8_wherever_it_stands(client: httpx2.Client) -> None:
    whole = json.dumps(chat("hi")).encode()
    for place in (1, len(whole) // 2, len(whole) - 5):
        found = post(client, whole[:place] + b"\xc3\x28" + whole[place:])
        assert found.status_code == 400
    assert post(client, whole.replace(b'"hi"', b'"\\ud83d"')).status_code == 400
    assert client.get("/v1/models/%ff%fe").status_code == 404


def test_ten_thousand_tools(client: httpx2.Client) -> None:
    tools = [
        {"type": "function", "function": {"name": f"f{n}", "parameters": {"type": "object"}}}
        for n in range(10_000)
    ]
    found = client.post(PATH, json=chat("hi", tools=tools))
    assert found.status_code == 400
    assert found.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": -1}, {"temperature": "hot"}, {"top_p": 2}, {"max_tokens": -2}, {"n": 0}, {"n": 10**9},
        {"seed": 2**70}, {"stop": [""]}, {"logit_bias": {"x": 1}}, {"logit_bias": {"99999999": 1}},
        {"messages": []}, {"messages": "hi"}, {"messages": [1]}, {"messages": [{}]}, {"tools": "f"},
        {"tools": [{}]}, {"stream": "perhaps"}, {"top_logprobs": 99}, {"model": ["a"]},
        {"model": "x" * 10**6},
    ],
    ids=lambda more: json.dumps(more)[:40],
)  # fmt: skip
def test_wrong_values_are_the_clients_fault(client: httpx2.Client, more: dict[str, Any]) -> None:
    found = post(client, chat("hi") | more)
    assert 400 <= found.status_code < 500, found.text
    assert found.json()["error"]["message"]


@pytest.mark.parametrize(
    "url",
    [
        "data:image/png;base64,AAAA",
        "data:,",
        "data:image/png;base64,%%%",
        "file:///etc/passwd",
        "gopher://x/",
    ],
)
def test_broken_media(client: httpx2.Client, url: str) -> None:
    found = post(client, chat([{"type": "image_url", "image_url": {"url": url}}]))
    assert found.status_code == 400


@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # somebody speaks TLS
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["tls", "version", "long-line", "length", "chunk"],
)
def test_no_http(server: LiveServer, raw: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(raw)
        found = connection.recv(100)
    assert found.startswith((b"HTTP/1.1 400", b"HTTP/1.1 408", b"HTTP/1.1 403")) or found == b""


def test_methods_that_no_route_has(client: httpx2.Client) -> None:
    for method in ("GET", "PUT", "DELETE", "TRACE", "BREW"):
        assert client.request(method, PATH).status_code == 405
