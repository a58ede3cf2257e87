"""Bodies: packed, too long, bombs, half sent, no JSON."""

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
import zstandard
from live_server import LiveServer, live_server
from scripted_model import scripted_llm

from gemma4.serve.middleware.json_shape import check_json
from gemma4.serve.middleware.paths import plain_path
from gemma4.serve.settings import Limits, ServeSettings

LIMIT = 2_000_000
CHAT = json.dumps({"messages": [{"role": "user", "content": "hi"}]}).encode()
PATH = "/v1/chat/completions"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    limits = Limits(body_bytes=LIMIT, body_seconds=0.3, header_seconds=0.3)
    with live_server([scripted_llm(lambda _: "Hello.")], ServeSettings(limits=limits)) as live:
        yield live


@pytest.fixture
def client(server: LiveServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield client


def post(client: httpx2.Client, content: Any, encoding: str | None = None) -> httpx2.Response:
    headers = {} if encoding is None else {"content-encoding": encoding}
    return client.post(PATH, content=content, headers=headers)


def error_of(answer: httpx2.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    return error


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(CHAT)),
        ("deflate", zlib.compress(CHAT)),
        ("zstd", zstandard.ZstdCompressor().compress(CHAT)),
        ("identity", CHAT),
    ],
    ids=["gzip", "deflate", "zstd", "identity"],  # the packed bytes hold the time
)
def test_packed_bodies(client: httpx2.Client, encoding: str, packed: bytes) -> None:
    assert post(client, packed, encoding).status_code == 200


@pytest.mark.parametrize(
    ("encoding", "bomb"),
    [
        ("gzip", gzip.compress(b" " * 200_000_000)),
        ("zstd", zstandard.ZstdCompressor().compress(b" " * 200_000_000)),
    ],
)
def test_a_bomb_is_413_before_it_is_unpacked(
    client: httpx2.Client, encoding: str, bomb: bytes
) -> None:
    assert len(bomb) < LIMIT
    started = time.monotonic()
    answer = post(client, bomb, encoding)
    assert answer.status_code == 413
    assert f"{LIMIT:,}" in error_of(answer)["message"]
    assert time.monotonic() - started < 4  # unpacking all of it and parsing it takes longer


@pytest.mark.parametrize("encoding", ["gzip", "zstd", "deflate"])
@pytest.mark.parametrize("cut", [-3, None])
def test_damaged_bodies_are_400(client: httpx2.Client, encoding: str, cut: int | None) -> None:
    pack = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": zstandard.ZstdCompressor().compress,
    }
    packed = pack[encoding](CHAT)[:cut] if cut else b"nonsense" * 9
    answer = post(client, packed, encoding)
    assert (answer.status_code, error_of(answer)["code"]) == (400, "damaged_body")


def test_bytes_behind_the_end_are_no_second_body(client: httpx2.Client) -> None:
    assert post(client, gzip.compress(CHAT) + b"more", "gzip").status_code == 400


def test_an_unknown_encoding_is_415(client: httpx2.Client) -> None:
    answer = post(client, CHAT, "br")
    assert answer.status_code == 415
    assert "gzip" in error_of(answer)["message"]


def test_too_long_a_body_names_both_numbers(client: httpx2.Client) -> None:
    answer = post(client, b"x" * (LIMIT + 5))
    assert answer.status_code == 413
    assert f"{LIMIT + 5:,}" in error_of(answer)["message"]
    assert f"{LIMIT:,}" in error_of(answer)["message"]
    assert client.get("/health").status_code == 200


def test_too_long_a_body_in_chunks(client: httpx2.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(LIMIT // 100_000 + 3):
            yield b"x" * 100_000

    answer = post(client, chunks())
    assert answer.status_code == 413
    assert f"{LIMIT:,}" in error_of(answer)["message"]


def test_messages_errors_have_anthropics_form(client: httpx2.Client) -> None:
    answer = client.post("/v1/messages", content=b"x" * (LIMIT + 5))
    assert answer.json()["error"]["type"] == "request_too_large"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "JSON object"),
        (b"3", "JSON object"),
        (b'"text"', "JSON object"),
        (b"[1]", "JSON object"),
        (b"null", "JSON object"),
        (b"{", "no JSON"),
        (b'{"messages": }', "no JSON"),
        (b"\xff\xfe", "not UTF-8 (byte 0"),
        (b'{"model": "\xff"}', "not UTF-8 (byte 11"),
        (b'{"model": "\\ud800"}', "surrogate"),
        (b"[" * 1_000_000, "128 deep"),
        (b'{"a":' * 200_000, "128 deep"),
        (b'{"a":' + b"[" * 200 + b"]" * 200 + b"}", "128 deep"),
        (b"[],{}" * 200_000, "JSON object"),
        (b'{"messages": [], "n": 1' + b"0" * 5000 + b"}", ""),
    ],
    ids=lambda value: value[:12].decode(errors="replace") if isinstance(value, bytes) else "",
)
def test_what_is_no_request_is_400_and_quickly(
    client: httpx2.Client, body: bytes, words: str
) -> None:
    started = time.monotonic()
    answer = client.post(PATH, content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert words in error_of(answer)["message"] or body[:3] == b"[],"
    assert time.monotonic() - started < 2


def test_brackets_inside_texts_are_not_depth() -> None:
    text = json.dumps({"a": '[[{"\\' * 5000}).encode()
    check_json(text, depth=8)
    check_json(json.dumps([[]] * 5000).encode(), depth=2)
    check_json(json.dumps({"a": "😀"}).encode(), depth=8)


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", None])
def test_json_is_json_whatever_it_is_called(client: httpx2.Client, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    assert client.post(PATH, content=CHAT, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/chat/completions/",
        "//v1//chat/completions",
        "/chat/completions?beta=true",
        "/v1/v1/chat/completions",
    ],
)
def test_paths_as_clients_spell_them(client: httpx2.Client, path: str) -> None:
    assert client.post(f"{str(client.base_url).rstrip('/')}{path}", content=CHAT).status_code == 200


def test_plain_paths() -> None:
    assert plain_path("/") == plain_path("//") == "/"
    assert plain_path("/v1/models/") == "/v1/models"


def half_sent(server: LiveServer, data: bytes) -> bytes:
    """What comes back for a request that stops in the middle."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(data)
        found = b""
        while chunk := client.recv(65536):
            found += chunk
        return found


HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /v1/chat/comp",
        HEAD,
        HEAD + b"content-length: 100\r\n\r\n" + CHAT[:20],
        HEAD + b'transfer-encoding: chunked\r\n\r\n5\r\n{"mes\r\n',
    ],
    ids=["nothing", "half-line", "half-head", "half-body", "half-chunks"],
)
def test_half_a_request_is_408_and_no_connection_is_held(server: LiveServer, data: bytes) -> None:
    started = time.monotonic()
    assert half_sent(server, data).startswith(b"HTTP/1.1 408 ")
    assert 0.2 < time.monotonic() - started < 3


def test_half_a_second_request_on_a_kept_connection_is_408(server: LiveServer) -> None:
    whole = HEAD + b"content-length: %d\r\n\r\n%s" % (len(CHAT), CHAT)
    found = half_sent(server, whole + b"GET /hea")
    assert found.startswith(b"HTTP/1.1 200 ")
    assert b"HTTP/1.1 408 " in found
