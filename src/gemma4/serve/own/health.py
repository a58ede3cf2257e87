"""`GET /health`: whether the server can answer."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from ..desk import Desk


def health_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.head("/", include_in_schema=False)
    async def alive() -> Response:
        """Agents ask so whether anybody is there."""
        return Response()

    @router.get("/health")
    async def health() -> JSONResponse:
        """200 while every model answers, 503 while the first is loaded, or once one has stopped."""
        if desk.models.is_starting:
            return JSONResponse({"status": "loading"}, 503, {"retry-after": "2"})
        faults = {
            served.id: str(served.worker.fault)
            for served in desk.models.all
            if served.worker.fault is not None
        }
        body: dict[str, Any] = {"status": "error", "faults": faults} if faults else {"status": "ok"}
        return JSONResponse(body, status_code=503 if faults else 200)

    return router
