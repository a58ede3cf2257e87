"""How answers leave the server: streamed, or whole; who hangs up cancels what was asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Protocol, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from .errors import ClientGone

T = TypeVar("T")

EVENT_STREAM = "text/event-stream"
STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class Closable(Protocol):
    """What a stream must let go of in the end, such as `desk.Answers`."""

    async def aclose(self) -> None:
        """Cancel what is not over."""


class StreamedAnswers(StreamingResponse):
    """A stream over answers, which are let go of however it ends, also before it has begun."""

    def __init__(
        self,
        answers: Closable,
        content: AsyncIterator[bytes],
        *,
        media_type: str = EVENT_STREAM,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(
            content, media_type=media_type, headers={**STREAM_HEADERS, **(headers or {})}
        )
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it all."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._answers.aclose()


async def while_connected(request: Request, work: Awaitable[T]) -> T:
    """Wait for a result as long as the client does.

    Raises:
        ClientGone: it hung up first; the work was cancelled.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientGone
    finally:
        working.cancel()
        watching.cancel()


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
