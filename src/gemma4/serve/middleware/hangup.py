"""Who hangs up cancels what was asked, in whatever phase it is: loading, waiting, reading, answering."""

import asyncio
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..settings import Limits


class NobodyReads(Exception):
    """The client takes nothing of the answer."""


class CancelOnHangup:
    """Runs a request as a task that ends when its client goes, or reads nothing for too long.

    It must see whole bodies (`BodyReader` stands outside of it): it alone listens to the client from here on.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request as long as there is a client."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        first = await receive()
        gone = asyncio.Event()
        waiting: list[Message] = [first]

        async def hear() -> Message:
            if waiting:
                return waiting.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def say(message: Message) -> None:
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await send(message)
            except TimeoutError:
                gone.set()
                raise NobodyReads from None

        working = asyncio.ensure_future(self._serve(scope, hear, say))
        listening = asyncio.ensure_future(_disconnected(receive, first))
        try:
            await asyncio.wait((working, listening), return_when=asyncio.FIRST_COMPLETED)
            gone.set()
            if working.done():
                with suppress(NobodyReads):
                    working.result()
        finally:
            listening.cancel()
            if not working.done():
                working.cancel()
                with suppress(asyncio.CancelledError):
                    await working

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


async def _disconnected(receive: Receive, first: Message) -> None:
    message = first
    while message["type"] != "http.disconnect":
        message = await receive()
