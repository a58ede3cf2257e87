"""`GET /v1/models`: what there is to ask."""

from typing import Any

from fastapi import APIRouter

from ..capabilities import capabilities_of
from ..desk import Desk
from ..models import Served
from ..shelf import Known


def model_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """All models of this server, loaded or not."""
        return {"object": "list", "data": [describe(desk, one) for one in desk.models.known]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """One model."""
        id = desk.models.resolve(name)
        return next(describe(desk, one) for one in desk.models.known if one.id == id)

    return router


def describe(desk: Desk, known: Known) -> dict[str, Any]:
    """A model in OpenAI's form, and what agents look for beside it; what only loading tells is null."""
    served = next((one for one in desk.models.all if one.id == known.id), None)
    context = None if served is None else served.llm.info.context
    return {
        "id": known.id,
        "object": "model",
        "created": known.created,
        "owned_by": "gemma4",
        "context_length": context,
        "max_model_len": context,
        "capabilities": None if served is None else capabilities_of(served.llm),
        "meta": None if served is None else _measures(served),
        "loaded": served is not None,
    }


def _measures(served: Served) -> dict[str, int]:
    """In llama.cpp's words."""
    text = served.llm.config.text
    return {
        "n_ctx": served.llm.info.context,
        "n_ctx_train": text.max_positions,
        "n_embd": text.hidden_size,
        "n_vocab": text.vocab_size,
    }
