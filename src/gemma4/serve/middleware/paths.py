"""Paths as clients spell them: doubled and trailing slashes, and `/v1` twice, mean what they should."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

_SLASHES = re.compile("/{2,}")


class TolerantPaths:
    """Lets routes see one spelling of each path. Query strings pass untouched; routes ignore what they do
    not know."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            scope = {**scope, "path": plain_path(scope["path"])}
        await self._app(scope, receive, send)


def plain_path(path: str) -> str:
    """`/v1//models/` → `/v1/models`; `/v1/v1/models`, of a client whose base has a `/v1` too, the same."""
    plain = _SLASHES.sub("/", path)
    while plain.startswith("/v1/v1/"):
        plain = plain.removeprefix("/v1")
    return plain.rstrip("/") or "/"
