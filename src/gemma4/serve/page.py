"""The web page: static files under `/web/`, and `index.html` for browsers at `/`."""

from pathlib import Path

from fastapi.responses import FileResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

WEB = Path(__file__).parent / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing comes from another host, and no script or style stands inside the page."""

_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # asked for again, and answered with 304 while nothing changed
}
_KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".woff2": "font/woff2"}
"""What a system's table of file types may not know, and a browser insists on."""


def page_response() -> Response:
    """The page itself."""
    return FileResponse(WEB / "index.html", headers={**_HEADERS, "vary": "accept"})


class PageFiles(StaticFiles):
    """What the page consists of; to be mounted at `/web`."""

    def __init__(self) -> None:
        super().__init__(directory=WEB)

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file."""
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        if kind := _KINDS.get(Path(path).suffix):
            response.headers["content-type"] = kind
        return response
