"""Reads a request's whole body before a route sees it: bounded, unpacked, and not for ever.

413 too long, packed or unpacked    408 it stopped coming    415 an unknown encoding    400 damaged
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..errors import RequestError
from ..settings import Limits
from .asgi import header, refuse
from .json_shape import check_json
from .unpacking import unpacker

_WITHOUT = ("GET", "HEAD", "OPTIONS")
_LINGER_SECONDS: Final = 3.0
_LOOKS_LIKE_JSON = re.compile(rb"\s*[\[{]")
_FORM = "multipart/form-data"

SENT_TYPE = "gemma4.content_type"
"""Where a request's scope keeps the type that was sent, before curl's own is taken for JSON."""


class Gone(Exception):
    """The client hung up before its request was whole."""


class BodyReader:
    """Hands the routes a whole body, as JSON where it looks like it: `curl -d` calls it a form."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse its body."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT:
            await self._app(scope, receive, send)
            return
        try:
            body = await self._read(scope, receive)
            _describe(scope, body, self._limits)
        except Gone:
            return
        except RequestError as error:
            if error.status == 413:
                await _linger(receive)
            await refuse(scope, receive, send, error, close=error.status in (408, 413))
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        limit = self._limits.body_bytes
        announced = header(scope, b"content-length") or ""
        if announced.isdecimal() and int(announced) > limit:
            raise _too_long(f"{int(announced):,} bytes were announced", limit)
        unpack = unpacker(header(scope, b"content-encoding"), limit)
        chunks: list[bytes] = []
        size = 0
        async for chunk in self._chunks(receive):
            for piece in unpack.feed(chunk):
                size += len(piece)
                if size > limit:
                    raise _too_long(f"there are more than {limit:,} bytes", limit)
                chunks.append(piece)
        unpack.finish()
        return b"".join(chunks)

    async def _chunks(self, receive: Receive) -> AsyncIterator[bytes]:
        seconds = self._limits.body_seconds
        more = True
        while more:
            try:
                async with asyncio.timeout(seconds):
                    message = await receive()
            except TimeoutError:
                raise RequestError(
                    f"the body stopped coming for {seconds:g} s; send it again",
                    status=408,
                    code="request_timeout",
                ) from None
            if message["type"] == "http.disconnect":
                raise Gone
            more = message.get("more_body", False)
            yield message.get("body", b"")


def _describe(scope: Scope, body: bytes, limits: Limits) -> None:
    """Give a request headers that fit the body that routes get."""
    kind = (header(scope, b"content-type") or "").lower()
    scope[SENT_TYPE] = kind
    dropped = {b"content-encoding", b"content-length"}
    if not kind.startswith(_FORM) and ("json" in kind or _LOOKS_LIKE_JSON.match(body)):
        check_json(body, depth=limits.json_depth)
        dropped.add(b"content-type")
    headers = [pair for pair in scope["headers"] if pair[0] not in dropped]
    headers.append((b"content-length", str(len(body)).encode()))
    if b"content-type" in dropped:
        headers.append((b"content-type", b"application/json"))
    scope["headers"] = headers


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


async def _linger(receive: Receive) -> None:
    """Take what is still coming for a moment: a client that is cut off while it sends reads no answer."""

    async def take_all() -> None:
        more = True
        while more:
            message = await receive()
            more = message["type"] == "http.request" and message.get("more_body", False)

    with suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_SECONDS):
            await take_all()


def _too_long(found: str, limit: int) -> RequestError:
    return RequestError(
        f"the body is too long: {found} and the limit is {limit:,}; send smaller media, or start the "
        "server with a larger --max-body",
        status=413,
        code="request_too_large",
    )
