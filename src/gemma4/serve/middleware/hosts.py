"""Pages of other sites cannot ask in a user's name: the names this server answers to, and who may ask.

A site can point its own name at 127.0.0.1 (DNS rebinding): its requests then carry that name as `Host`.
And any page may send a simple POST to any address: its requests carry its `Origin`.
"""

import ipaddress
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from ..errors import RequestError
from .asgi import header, refuse

LOCAL_NAMES = ("localhost", "host.docker.internal", "host.containers.internal")
_LOCAL_ENDINGS = (".localhost", ".local", ".internal")


class HostGuard:
    """Refuses other names and other origins with 403.

    Args:
        hosts: names that are answered to; empty: those of this machine; `*`: all.
        origins: of pages that may ask beside the server's own; `*`: all.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._app = app
        self._hosts = tuple(host.lower() for host in hosts)
        self._origins = tuple(origin.lower().rstrip("/") for origin in origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] == "http" and (error := self._wrong(scope)) is not None:
            await refuse(scope, receive, send, error)
            return
        await self._app(scope, receive, send)

    def _wrong(self, scope: Scope) -> RequestError | None:
        host = header(scope, b"host") or ""
        if not self._is_own(host):
            return RequestError(
                f"this server does not answer to the name {host[:80]!r}; start it with "
                "--allowed-host NAME if it should",
                status=403,
                code="host_not_allowed",
            )
        origin = header(scope, b"origin")
        if origin is None or self._may_ask(origin.lower(), host.lower()):
            return None
        return RequestError(
            f"pages of {origin[:80]!r} may not ask this server; start it with --cors {origin[:80]} "
            "if they should",
            status=403,
            code="origin_not_allowed",
        )

    def _is_own(self, host: str) -> bool:
        name = name_of(host)
        if "*" in self._hosts or name in self._hosts:
            return True
        return not self._hosts and is_local_name(name)

    def _may_ask(self, origin: str, host: str) -> bool:
        if "*" in self._origins or origin in self._origins:
            return True
        return urlsplit(origin).netloc == host


def name_of(host: str) -> str:
    """A `Host` header without its port, in lower case."""
    return (urlsplit(f"//{host}").hostname or "") if host else ""


def is_local_name(name: str) -> bool:
    """Whether a name can only mean this machine or its network: an address never was a rebound name."""
    if name in LOCAL_NAMES or name.endswith(_LOCAL_ENDINGS):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a server that listens here is heard on this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
