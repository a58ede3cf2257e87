"""`/api/tags`, `/api/show`, `/api/ps`, `/api/version`: what there is, and what is loaded."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib.metadata import version as installed_version
from typing import Any, Final

from fastapi import APIRouter

from ...errors import ModelNotFoundError
from ..desk import Desk
from ..errors import RequestError
from ..models import Served
from ..shelf import Known
from ..slot import Standing
from .cards import Card, Cards
from .model_info import model_info, parameters_text
from .names import NameBody, tagged

API_VERSION: Final = "0.20.0"
"""Of Ollama's protocol that is spoken here: clients refuse servers that seem older than what they need."""

_FOR_EVER: Final = datetime(9999, 12, 31, tzinfo=UTC)


def model_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])
    cards = Cards(desk.models.shelf.store)

    async def card_of(known: Known) -> Card:
        return await asyncio.to_thread(cards.of, known, _served(desk, known.id))

    @router.get("/api/version")
    async def version() -> dict[str, str]:
        """The protocol's version, and our own."""
        return {"version": API_VERSION, "gemma4": installed_version("gemma4")}

    @router.get("/api/tags")
    async def tags() -> dict[str, Any]:
        """All models that can be asked."""
        return {"models": [_entry(known, await card_of(known)) for known in desk.models.known]}

    @router.get("/api/ps")
    async def running() -> dict[str, Any]:
        """The models that are in memory."""
        known = {one.id: one for one in desk.models.known}
        return {
            "models": [
                {
                    **_entry(known[one.id], await card_of(known[one.id])),
                    **_in_memory(one, one.served),
                }
                for one in desk.models.standings
                if one.served is not None and one.id in known
            ]
        }

    @router.post("/api/show")
    async def show(body: NameBody) -> dict[str, Any]:
        """One model."""
        known = _known(desk, body.wanted())
        card = await card_of(known)
        if card.config is None:
            raise RequestError(f"{known.id} cannot be read: {card.problem}", status=500)
        return _shown(known, card, card.config, _served(desk, known.id))

    return router


def _known(desk: Desk, name: str) -> Known:
    id = desk.models.resolve(name)
    for known in desk.models.known:
        if known.id == id:
            return known
    raise ModelNotFoundError(f"{name} has gone; `gemma4 ls` says what is there")


def _shown(known: Known, card: Card, config: Any, served: Served | None) -> dict[str, Any]:
    context = config.text.max_positions if served is None else served.llm.info.context
    return {
        "modelfile": f"# {known.id} is served as it is\nFROM {known.id}\n",
        "parameters": parameters_text(card.sampling),
        "template": card.template,
        "license": card.licence,
        "details": card.details,
        "model_info": model_info(config, parameters=card.parameters, context=context),
        "capabilities": list(card.capabilities),
        "modified_at": _moment(known.created),
    }


def _served(desk: Desk, id: str) -> Served | None:
    return next((one for one in desk.models.all if one.id == id), None)


def _entry(known: Known, card: Card) -> dict[str, Any]:
    name = tagged(known.id)
    return {
        "name": name,
        "model": name,
        "modified_at": _moment(known.created),
        "size": known.size_bytes,
        "digest": known.manifest.digest if known.manifest else "",
        "details": card.details,
        **({"error": card.problem} if card.problem else {}),
    }


def _in_memory(standing: Standing, served: Served) -> dict[str, Any]:
    info = served.llm.info
    weights = standing.size_bytes or sum(one.nbytes for one in served.llm.model.parameters())
    size = weights + info.kv_bytes
    left = standing.expires_in
    until = _FOR_EVER if left is None else datetime.now(UTC) + timedelta(seconds=left)
    return {
        "size": size,
        "size_vram": size if info.device.startswith("cuda") else 0,
        "expires_at": until.isoformat().replace("+00:00", "Z"),
        "context_length": info.context,
    }


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
