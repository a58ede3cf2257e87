"""Media that a client names by URL: what is fetched, and what is not, whatever leads there."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gemma4.serve.addresses import is_public
from gemma4.serve.errors import RequestError
from gemma4.serve.fetching import MediaFetcher
from gemma4.serve.media import media_source
from gemma4.serve.settings import Limits, ServeSettings

PICTURE = b"\x89PNG" + b"x" * 1000


class Far(BaseHTTPRequestHandler):
    """Another machine's server, as bad as they come."""

    def do_GET(self) -> None:
        match self.path.partition("?")[0]:
            case "/picture":
                self.answer(200, {"content-type": "image/png; q=1"}, PICTURE)
            case "/page":
                self.answer(200, {"content-type": "text/html"}, b"<html>")
            case "/long":
                self.answer(200, {"content-type": "image/png", "content-length": "9999999"}, b"")
            case "/endless":
                self.answer(200, {"content-type": "image/png"}, b"x" * 200_000)
            case "/loop":
                self.answer(302, {"location": "/loop"}, b"")
            case "/once":
                self.answer(302, {"location": "/picture"}, b"")
            case "/inward":
                self.answer(302, {"location": "http://inside.example/picture"}, b"")
            case "/to-file":
                self.answer(302, {"location": "file:///etc/passwd"}, b"")
            case "/slow":
                self.send_response(200)
                self.send_header("content-type", "image/png")
                self.end_headers()
                for _ in range(100):
                    self.wfile.write(b"x")
                    self.wfile.flush()
                    self.server.pause.wait(0.1)  # type: ignore[attr-defined]
            case _:
                self.answer(404, {}, b"")

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.server.hosts.append(self.headers["host"])  # type: ignore[attr-defined]
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def far() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Far)
    server.daemon_threads = True
    server.hosts = []  # type: ignore[attr-defined]
    server.pause = threading.Event()  # type: ignore[attr-defined]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.pause.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


NAMES = {
    "far.example": ["127.0.0.1"],
    "inside.example": ["10.0.0.7"],
    "both.example": ["127.0.0.1", "10.0.0.7"],
}


def fetcher(limits: Limits | None = None) -> MediaFetcher:
    """One for which 127.0.0.1 is the open internet."""
    return MediaFetcher(
        limits or Limits(media_bytes=100_000, media_seconds=1.0),
        resolve=lambda host, _: NAMES[host],
        is_allowed=lambda address: address == "127.0.0.1",
    )


def fetch(far: ThreadingHTTPServer, path: str, host: str = "far.example") -> bytes:
    return fetcher().fetch(f"http://{host}:{far.server_address[1]}{path}", param="messages[0]")


def test_the_checked_address_is_asked_in_the_name_of_the_host(far: ThreadingHTTPServer) -> None:
    assert fetch(far, "/picture") == PICTURE
    assert fetch(far, "/once") == PICTURE
    assert far.hosts[0] == f"far.example:{far.server_address[1]}"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/page", "text/html"),
        ("/long", "9,999,999 bytes or more and the limit is 100,000"),
        ("/endless", "the limit is 100,000"),
        ("/loop", "more than 3 times"),
        ("/inward", "'inside.example', an address of this machine or its networks"),
        ("/to-file", "no http"),
        ("/missing", "status 404"),
        ("/slow", "longer than 1 s"),
    ],
)
def test_what_is_not_taken(far: ThreadingHTTPServer, path: str, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        fetch(far, path)
    assert caught.value.param == "messages[0]"
    assert "data: URL" in str(caught.value)


def test_a_name_with_one_inner_address_is_not_trusted(far: ThreadingHTTPServer) -> None:
    with pytest.raises(RequestError, match=r"both\.example"):
        fetch(far, "/picture", host="both.example")


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:0a00:0001",
        "2002:7f00:0001::", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)  # fmt: skip
def test_addresses_that_are_not_of_the_open_internet(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "64:ff9b::101:101"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://[::1]/x",
        "http://0x7f.1/x",
        "http://2130706433/x",
        "http://localhost/x",
    ],
)
def test_this_machine_by_any_spelling_is_refused(url: str) -> None:
    with pytest.raises(RequestError, match=r"of this machine|no address"):
        media_source(url, param="p", settings=ServeSettings(fetch_media=True))


def test_nothing_is_fetched_unless_told() -> None:
    with pytest.raises(RequestError, match="--fetch-media"):
        media_source("http://1.1.1.1/x", param="p", settings=ServeSettings())


def test_files_are_read_below_the_media_path_only(tmp_path: Path) -> None:
    inside, outside = tmp_path / "media", tmp_path / "secret.png"
    inside.mkdir()
    outside.write_bytes(b"x")
    (inside / "a b.png").write_bytes(b"x")
    (inside / "link.png").symlink_to(outside)
    settings = ServeSettings(media_path=inside)

    def source(url: str, settings: ServeSettings = settings) -> object:
        return media_source(url, param="p", settings=settings)

    assert source(f"file://{inside}/a%20b.png") == inside / "a b.png"
    for url, words in (
        (f"file://{inside}/link.png", "outside"),
        (f"file://{inside}/../secret.png", "outside"),
        (f"file://{inside}/none.png", "no such file"),
        (f"file://{inside}/%00.png", "NUL"),
        ("file://other/x.png", "this machine only"),
    ):
        with pytest.raises(RequestError, match=words):
            source(url)
    with pytest.raises(RequestError, match="--media-path"):
        source(f"file://{inside}/a%20b.png", ServeSettings())
