"""API keys: `Authorization: Bearer`, or `x-api-key`. Only hashes are kept."""

import hashlib
import hmac
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import RequestError
from .asgi import header, refuse

PUBLIC = ("/health", "/favicon.ico")
READABLE = ("/web/",)


class ApiKeys:
    """Lets those with a key pass; the page itself and `/health` are for everybody.

    Args:
        hashes: SHA-256 of each key, hexadecimal; none: nobody is asked for one.
    """

    def __init__(self, app: ASGIApp, hashes: Iterable[str]) -> None:
        self._app = app
        self._hashes = tuple(hashes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with 401. `scope["state"]["key"]` says whose it is."""
        if scope["type"] != "http" or not self._hashes:
            await self._app(scope, receive, send)
            return
        given = given_key(scope)
        found = None if given is None else self._find(given)
        if found is None and not _is_public(scope):
            await refuse(scope, receive, send, _missing(given))
            return
        scope.setdefault("state", {})["key"] = found
        await self._app(scope, receive, send)

    def _find(self, given: str) -> str | None:
        """Compares with every hash in full, so that time tells nothing of how near a guess was."""
        digest, found = hash_key(given), None
        for one in self._hashes:
            if hmac.compare_digest(one, digest):
                found = one
        return found


def hash_key(key: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def given_key(scope: Scope) -> str | None:
    """The key of a request, wherever its client puts it."""
    scheme, _, value = (header(scope, b"authorization") or "").strip().partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return header(scope, b"x-api-key") or None


def _is_public(scope: Scope) -> bool:
    if scope["path"] == "/health":
        return True
    if scope["method"] not in ("GET", "HEAD"):
        return False
    return scope["path"] in ("/", *PUBLIC) or scope["path"].startswith(READABLE)


def _missing(given: str | None) -> RequestError:
    if given is None:
        text = (
            "this server asks for a key: send it as `Authorization: Bearer KEY` or `x-api-key: KEY`"
        )
    else:
        text = "the key is not one of this server's; check it"
    return RequestError(text, status=401, code="invalid_api_key")
