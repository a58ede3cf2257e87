"""`GET /health`: whether the server can answer."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from ..desk import Desk


def health_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.get("/health")
    async def health() -> JSONResponse:
        """200 while every model answers, 503 with the reason once one has stopped."""
        faults = {
            served.id: str(served.worker.fault)
            for served in desk.models.all
            if served.worker.fault is not None
        }
        body: dict[str, Any] = {"status": "error", "faults": faults} if faults else {"status": "ok"}
        return JSONResponse(body, status_code=503 if faults else 200)

    return router
