"""`POST /models/load`, `POST /models/unload`, and `GET /ps`: which models are in memory."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from ..desk import Desk
from ..slot import Served, Standing


class LoadBody(BaseModel):
    """Which model, and how many seconds it stays when nobody asks; a negative number: for ever."""

    model_config = ConfigDict(extra="allow")

    model: str
    keep_alive: float | None = None


def loading_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.post("/models/load")
    async def load(body: LoadBody, _: Request) -> dict[str, Any]:
        """Load a model, and answer when it is there."""
        seconds = body.keep_alive
        keep = -1.0 if seconds is None else (None if seconds < 0 else seconds)
        await desk.models.load(body.model, keep_alive=keep)
        return standing_of(desk, body.model)

    @router.post("/models/unload")
    async def unload(body: LoadBody, _: Request) -> dict[str, Any]:
        """Let a model go as soon as nobody uses it; what runs is answered to its end."""
        was_loaded = desk.models.unload(body.model)
        return {"id": desk.models.resolve(body.model), "was_loaded": was_loaded}

    @router.get("/ps")
    async def running() -> dict[str, Any]:
        """All models that are loaded, being loaded, or failed when last asked for."""
        return {"models": [describe(one) for one in desk.models.standings]}

    return router


def standing_of(desk: Desk, name: str) -> dict[str, Any]:
    """How one model stands."""
    id = desk.models.resolve(name)
    return next(describe(one) for one in desk.models.standings if one.id == id)


def describe(one: Standing) -> dict[str, Any]:
    """A model's standing as JSON."""
    found: dict[str, Any] = {
        "id": one.id,
        "state": one.state,
        "size_bytes": one.size_bytes,
        "expires_in": one.expires_in,
        "error": one.error,
    }
    return found if one.served is None else found | _inside(one.served)


def _inside(served: Served) -> dict[str, Any]:
    info, now = served.llm.info, served.llm.streams.engine.counters
    return {
        "device": info.device,
        "kernels": info.kernels,
        "context": info.context,
        "slots": info.max_requests,
        "kv_bytes": info.kv_bytes,
        "running": now.running,
        "waiting": now.waiting,
        "fault": None if served.worker.fault is None else str(served.worker.fault),
    }
