"""`POST /api/pull`: a model from the hub into the local store, with its progress line by line."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from ...hub.names import parse_reference
from ...hub.offer import Offer, make_offer
from ...hub.progress import Progress
from ..desk import Desk
from ..errors import RequestError, ollama_error, problem_of
from ..responding import while_connected
from ..threads import in_thread
from .lines import NDJSON, encoded
from .names import NameBody

_DONE = {"status": "success"}


def pull_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])

    @router.post("/api/pull")
    async def pull(body: NameBody, request: Request) -> Response:
        """Get a model; a pull that is broken off goes on where it was."""
        offer = await in_thread(lambda: _offer(desk, body.wanted()))
        if body.stream is not False:
            return StreamingResponse(_lines(offer), media_type=NDJSON)
        return JSONResponse(await while_connected(request, _to_its_end(offer)))

    return router


def _offer(desk: Desk, name: str) -> Offer:
    access = desk.settings.hub
    if access is None or access.offline:
        raise RequestError(
            f"{name} cannot be pulled: this server does not use the network; start it without "
            "--offline, or run `gemma4 pull` where there is a network",
            status=403,
            code="offline",
        )
    return make_offer(parse_reference(name), desk.models.shelf.store, access)


async def _to_its_end(offer: Offer) -> dict[str, Any]:
    async for _ in _progress(offer):
        pass
    return _DONE


async def _lines(offer: Offer) -> AsyncIterator[bytes]:
    """Status by status; an error is the last line."""
    try:
        yield encoded({"status": "pulling manifest"})
        async for found in _progress(offer):
            yield encoded(
                {
                    "status": f"pulling {found.file}",
                    "digest": found.file,
                    "total": found.total,
                    "completed": found.done,
                }
            )
        yield encoded({"status": "verifying sha256 digest"})
        yield encoded({"status": "writing manifest"})
        yield encoded(_DONE)
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield encoded(ollama_error(problem_of(error)))


class _BrokenOff(Exception):
    """Nobody waits for the pull any more."""


async def _progress(offer: Offer) -> AsyncIterator[Progress]:
    """Fetch on a thread, telling how far it is; whoever stops listening stops it."""
    if offer.current is not None:
        return
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[Progress | None] = asyncio.Queue()
    left = threading.Event()

    def report(progress: Progress) -> None:
        if left.is_set():
            raise _BrokenOff
        loop.call_soon_threadsafe(found.put_nowait, progress)

    fetching = in_thread(lambda: offer.fetch(report))
    fetching.add_done_callback(lambda _: found.put_nowait(None))
    try:
        while (progress := await found.get()) is not None:
            yield progress
        await fetching
    finally:
        left.set()
        if fetching.done():
            fetching.exception()  # it was told above, or nobody is there to be told
