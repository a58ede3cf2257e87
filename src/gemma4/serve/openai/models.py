"""`GET /v1/models`: what there is to ask."""

from typing import Any

from fastapi import APIRouter

from ..capabilities import capabilities_of
from ..desk import Desk
from ..models import Served


def model_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.get("/models")
    async def models() -> dict[str, Any]:
        """All models of this server."""
        return {"object": "list", "data": [describe(served) for served in desk.models.all]}

    @router.get("/models/{name:path}")
    async def model(name: str) -> dict[str, Any]:
        """One model."""
        return describe(desk.models.find(name))

    return router


def describe(served: Served) -> dict[str, Any]:
    """A model in OpenAI's form, and what agents look for beside it."""
    context, text = served.llm.info.context, served.llm.config.text
    return {
        "id": served.id,
        "object": "model",
        "created": served.created,
        "owned_by": "gemma4",
        "context_length": context,
        "max_model_len": context,
        "capabilities": capabilities_of(served.llm),
        "meta": {
            "n_ctx": context,
            "n_ctx_train": text.max_positions,
            "n_embd": text.hidden_size,
            "n_vocab": text.vocab_size,
        },
        "loaded": True,
    }
