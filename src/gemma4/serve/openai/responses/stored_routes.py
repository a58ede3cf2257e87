"""What is kept of responses: read, streamed again, cancelled, deleted."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from ...answers import Quiet
from ...desk import Desk
from ...errors import RequestError
from .encoding import event_stream
from .store import Kept, ResponseStore


def stored_routes(desk: Desk, store: ResponseStore) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.get("/responses/{response_id}")
    async def retrieve(
        response_id: str, stream: bool = False, starting_after: int | None = None
    ) -> Response:
        """A response as far as it has come; with `stream`, its events behind `starting_after`."""
        kept = store.find(response_id)
        if not stream:
            return JSONResponse(kept.response)
        start = 0 if starting_after is None else max(0, starting_after + 1)
        return event_stream(_events(kept, start, desk.settings.limits.ping_seconds))

    @router.delete("/responses/{response_id}")
    async def delete(response_id: str) -> dict[str, Any]:
        """Keep it no longer."""
        store.drop(response_id)
        return {"id": response_id, "object": "response", "deleted": True}

    @router.post("/responses/{response_id}/cancel")
    async def cancel(response_id: str) -> dict[str, Any]:
        """Stop a response in the background; one that is over stays as it is."""
        kept = store.find(response_id)
        if kept.run is None:
            raise RequestError(
                f"response {response_id!r} was not made with background: true; hang up to stop an answer",
                param="response_id",
            )
        kept.run.cancel()
        return kept.response

    @router.get("/responses/{response_id}/input_items")
    async def input_items(
        response_id: str,
        after: str | None = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        order: Literal["asc", "desc"] = "desc",
    ) -> dict[str, Any]:
        """Items that a response answers, a page at a time."""
        items = list(store.find(response_id).items)
        if order == "desc":
            items.reverse()
        ids = [item["id"] for item in items]
        if after is not None and after not in ids:
            raise RequestError(f"after is {after!r}, which is no item of it", param="after")
        start = 0 if after is None else ids.index(after) + 1
        page = items[start : start + limit]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": start + limit < len(items),
        }

    return router


def _events(kept: Kept, start: int, ping_seconds: float) -> AsyncIterator[dict[str, Any] | Quiet]:
    """Those that were told, and those that are still to come.

    Raises:
        RequestError: it was never a stream.
    """
    if kept.run is not None:
        return kept.run.follow(start, ping_seconds=ping_seconds)
    if kept.log is None:
        raise RequestError(
            f"response {kept.id!r} cannot be streamed: it was made without stream: true",
            param="stream",
        )
    return _again(kept.log, start)


async def _again(log: list[dict[str, Any]], start: int) -> AsyncIterator[dict[str, Any] | Quiet]:
    for event in log[start:]:
        yield event
