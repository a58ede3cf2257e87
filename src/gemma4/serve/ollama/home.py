"""`/` for programs: a sign of life. Browsers get the web page, where there is one."""

from collections.abc import Callable

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

ALIVE = "gemma4 is running (for clients that look for these words: Ollama is running)\n"


def home_routes(page: Callable[[], Response] | None = None) -> APIRouter:
    """The routes.

    Args:
        page: makes what browsers get, which ask for text/html.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home(request: Request) -> Response:
        if page is not None and "text/html" in request.headers.get("accept", ""):
            return page()
        return PlainTextResponse(ALIVE, headers={"vary": "accept"})

    @router.head("/")
    async def is_there() -> Response:
        return PlainTextResponse(ALIVE)

    return router
