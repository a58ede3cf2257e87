"""A model hub on 127.0.0.1 that speaks what our downloads hear, and fails on request.

Endpoints: `/api/models/{repo}[/revision/{rev}]` and `/{repo}/resolve/{commit}/{path}`. Large files
are redirected to a second server, as a hub sends them to its content network.
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class FakeRepository:
    """Files of one repository; those in `large` go by SHA-256 and through the second server."""

    files: dict[str, bytes]
    large: tuple[str, ...] = ()
    licence: str | None = "apache-2.0"
    commit: str = COMMIT
    gated: bool = False
    announced: dict[str, bytes] = field(default_factory=dict)  # lies about a file's content

    def describe(self, name: str) -> dict[str, object]:
        """The answer of `/api/models/…?blobs=True`."""
        return {
            "id": name,
            "sha": self.commit,
            "tags": ["gemma"],
            "cardData": {"license": self.licence} if self.licence else None,
            "siblings": [self._sibling(path) for path in self.files],
        }

    def _sibling(self, path: str) -> dict[str, object]:
        content = self.announced.get(path, self.files[path])
        header = f"blob {len(content)}\0".encode()
        entry: dict[str, object] = {
            "rfilename": path,
            "size": len(content),
            "blobId": hashlib.sha1(header + content).hexdigest(),
        }
        if path in self.large:
            digest = hashlib.sha256(content).hexdigest()
            entry["lfs"] = {"size": len(content), "sha256": digest, "pointerSize": 133}
        return entry


@dataclass
class FakeHub:
    """A running hub. `faults`: for a file's path, what to do on its next requests, first first:
    an int status, `cut:N` (send N bytes and close), `whole` (ignore a range)."""

    repositories: dict[str, FakeRepository] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    token: str | None = None
    requests: list[tuple[str, str | None, str | None]] = field(default_factory=list)
    endpoint: str = ""
    content_endpoint: str = ""

    def ranges(self, path: str) -> list[str | None]:
        """The `Range` headers of all requests for a file's content, in order."""
        return [asked for seen, asked, _ in self.requests if seen.endswith(path)]


@contextmanager
def run_hub() -> Iterator[FakeHub]:
    """Start a hub and its content server; stop both at the end."""
    hub = FakeHub()
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub)) for _ in range(2)]
    hub.endpoint, hub.content_endpoint = (
        f"http://127.0.0.1:{servers[0].server_port}",
        f"http://localhost:{servers[1].server_port}",
    )
    threads = [threading.Thread(target=s.serve_forever, args=(0.01,)) for s in servers]
    for thread in threads:
        thread.start()
    try:
        yield hub
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def _handler(hub: FakeHub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_args: object) -> None:
            """Stay silent."""

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            parts = path.strip("/").split("/")
            if parts == ["api", "models"]:
                self._answer(200, {"Content-Type": "application/json"}, b"[]")
            elif parts[:2] == ["api", "models"]:
                self._describe("/".join(parts[2:4]), parts[5] if len(parts) > 4 else None)
            elif parts[0] == "content":
                self._send_file("/".join(parts[1:3]), "/".join(parts[3:]))
            elif len(parts) > 4 and parts[2] == "resolve":
                self._resolve("/".join(parts[:2]), parts[3], "/".join(parts[4:]))
            else:
                self._refuse(404)

        def _describe(self, name: str, revision: str | None) -> None:
            if fault := self._next_fault("api"):
                self._refuse(int(fault))
                return
            if self._token() not in (None, hub.token):
                self._refuse(401, message="Invalid credentials in Authorization header")
                return
            repository = hub.repositories.get(name)
            if repository is None:
                self._refuse(401, message="Invalid username or password.")
            elif revision not in (None, "main", repository.commit):
                self._refuse(404, code="RevisionNotFound")
            else:
                body = json.dumps(repository.describe(name)).encode()
                self._answer(200, {"Content-Type": "application/json"}, body)

        def _resolve(self, name: str, revision: str, path: str) -> None:
            repository = hub.repositories[name]
            if repository.gated and (hub.token is None or self._token() != hub.token):
                self._refuse(403 if self._token() else 401, code="GatedRepo")
            elif revision != repository.commit or path not in repository.files:
                self._refuse(404, code="EntryNotFound")
            elif path in repository.large:
                target = f"{hub.content_endpoint}/content/{name}/{path}"
                self._answer(302, {"Location": target, "X-Repo-Commit": repository.commit}, b"")
            else:
                self._send_file(name, path)

        def _send_file(self, name: str, path: str) -> None:
            content = hub.repositories[name].files[path]
            asked = self.headers.get("Range")
            hub.requests.append((path, asked, self.headers.get("Authorization")))
            fault = self._next_fault(path)
            if isinstance(fault, int):
                self._refuse(fault)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if fault == "whole" or start == 0:
                status, headers, body = 200, {}, content
            else:
                status, body = 206, content[start:]
                headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            cut = int(fault.removeprefix("cut:")) if fault and fault != "whole" else None
            self._answer(status, headers, body, cut=cut)

        def _next_fault(self, path: str) -> int | str | None:
            waiting = hub.faults.get(path)
            return waiting.pop(0) if waiting else None

        def _token(self) -> str | None:
            header = self.headers.get("Authorization")
            return header.removeprefix("Bearer ") if header else None

        def _refuse(self, status: int, *, code: str = "", message: str = "") -> None:
            headers = {"X-Error-Code": code, "X-Error-Message": message}
            self._answer(status, {k: v for k, v in headers.items() if v}, b'{"error": "refused"}')

        def _answer(
            self, status: int, headers: dict[str, str], body: bytes, *, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body if cut is None else body[:cut])
            self.close_connection = True

    return Handler
