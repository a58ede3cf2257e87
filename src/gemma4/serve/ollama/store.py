"""`/api/delete`, and what Ollama does with models that is not done here: refused, with what to do instead."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter
from fastapi.responses import Response

from ..desk import Desk
from ..errors import RequestError
from ..threads import in_thread
from .names import NameBody

_NOT_HERE = {
    "/api/copy": "models keep the names they were pulled by; start the server with --alias NAME=MODEL",
    "/api/create": "models are served as they are published; send system, template and options with "
    "each request, and make other formats with `gemma4 quantize`",
    "/api/push": "nothing is sent away from this machine; use the hub's own tools to publish a model",
    "/api/blobs/{digest}": "there are no blobs to send: models come by /api/pull",
}


def store_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])

    @router.delete("/api/delete")
    async def delete(body: NameBody) -> Response:
        """Remove a model of the local store; it is unloaded first."""
        name = body.wanted()
        known = desk.models.shelf.find(desk.models.resolve(name))
        if known is None or known.manifest is None:
            raise RequestError(
                f"{name} is no model of the local store, so it is not removed; delete its file by hand",
                param="model",
            )
        in_use = [
            one for one in desk.models.standings if one.id == known.id and one.state == "loading"
        ]
        if in_use:
            raise RequestError(f"{known.id} is being loaded; ask again", status=409, retry_after=5)
        desk.models.unload(known.id)
        await in_thread(lambda: desk.models.shelf.store.remove(known.id))
        return Response(status_code=200)

    for path, why in _NOT_HERE.items():
        router.add_api_route(path, _refusal(path, why), methods=["POST"], include_in_schema=False)
    return router


def _refusal(path: str, why: str) -> Callable[[], Awaitable[Response]]:
    """A route that says why there is nothing behind it."""

    async def refuse() -> Response:
        message = f"{path} is not done by this server: {why}"
        raise RequestError(message, status=501, code="not_implemented")

    return refuse
