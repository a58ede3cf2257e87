"""`GET /props` and `GET /slots`: what a model can do, how it answers by default, and what it does now."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter

from ...media.patches import BUDGETS
from ..capabilities import capabilities_of
from ..desk import Desk
from ..models import Served
from ..on_worker import on_worker

_SHOWN = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty")


def property_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.get("/props")
    async def props(model: str | None = None) -> dict[str, Any]:
        """What clients want to know before they ask."""
        async with desk.models.use(model) as served:
            return _properties(served, desk)

    @router.get("/slots")
    async def slots(model: str | None = None) -> list[dict[str, Any]]:
        """A slot for each answer that may run at once, after llama.cpp, with the engine's counts."""
        async with desk.models.use(model) as served:
            engine, context = served.llm.streams.engine, served.llm.info.context
            counters = await on_worker(served.worker, lambda: engine.counters)
            return [
                {
                    "id": number,
                    "model": served.id,
                    "n_ctx": context,
                    "is_processing": number < counters.running,
                    "engine": asdict(counters),
                }
                for number in range(engine.limits.max_requests)
            ]

    return router


def _properties(served: Served, desk: Desk) -> dict[str, Any]:
    llm, words = served.llm, capabilities_of(served.llm)
    return {
        "model": served.id,
        "n_ctx": llm.info.context,
        "total_slots": llm.info.max_requests,
        "modalities": {word: word in words for word in ("vision", "audio", "video")},
        "thinking": "thinking" in words,
        "tools": "tools" in words,
        "default_generation_settings": {name: getattr(llm.defaults, name) for name in _SHOWN},
        "template": llm.info.template,
        "template_came_along": llm.info.template_came_along,
        "device": llm.info.device,
        "dtype": llm.info.dtype,
        "kernels": llm.info.kernels,
        "notes": list(llm.info.notes),
        "limits": {
            "max_body_bytes": desk.settings.limits.body_bytes,
            "image_budgets": list(BUDGETS),
        },
    }
