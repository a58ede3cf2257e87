"""A server that is not ours: it speaks the plain protocol of chat completions, and nothing more.

No usage, no model's abilities, no key; what it is to do next is written down by the test.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class PlainServer:
    """What it was asked, and what it answers.

    Attributes:
        pieces: deltas of the next answers. ending: what ends them, as an event's data each.
        status, refusal: of the next answers, where they are refused.
        key: that clients must send. lists: whether `/models` is there.
        whole: answer with one JSON object instead of a stream.
    """

    url: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    pieces: Sequence[dict[str, Any]] = ({"role": "assistant", "content": ""}, {"content": "Plain."})
    ending: Sequence[str] = ("stop", "[DONE]")
    status: int = 200
    refusal: bytes = b""
    key: str | None = None
    lists: bool = True
    whole: bool = False


@contextmanager
def plain_server() -> Iterator[PlainServer]:
    """Run one."""
    plain = PlainServer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(plain))
    plain.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield plain
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(plain: PlainServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            if not self._may():
                return
            if self.path == "/v1/models" and plain.lists:
                models = [{"id": name, "object": "model"} for name in ("alpha", "beta")]
                self._send(200, "application/json", json.dumps({"data": models}).encode())
            else:
                self._send(404, "text/plain", b"nothing here")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if not self._may():
                return
            plain.bodies.append(body)
            if plain.status != 200:
                self._send(plain.status, "application/json", plain.refusal)
            elif plain.whole:
                message = {"role": "assistant", "content": "Whole."}
                choice = {"index": 0, "message": message, "finish_reason": "stop"}
                answer = json.dumps({"choices": [choice]}).encode()
                self._send(200, "application/json; charset=utf-8", answer)
            else:
                self._send(200, "text/event-stream", b"".join(_events(plain)))

        def _may(self) -> bool:
            if plain.key is None or self.headers.get("authorization") == f"Bearer {plain.key}":
                return True
            self._send(401, "application/json", b'{"error": {"message": "Bad key."}}')
            return False

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    return Handler


def _events(plain: PlainServer) -> Iterator[bytes]:
    yield b": a comment\n\nretry: 5\n"
    for delta in plain.pieces:
        yield _event(json.dumps({"choices": [{"index": 0, "delta": delta}]}))
    for word in plain.ending:
        if word == "[DONE]" or word.startswith("{"):
            yield _event(word)
        else:
            choice = {"index": 0, "delta": {}, "finish_reason": word}
            yield _event(json.dumps({"choices": [choice]}))


def _event(data: str) -> bytes:
    return f"data: {data}\n\n".encode()
