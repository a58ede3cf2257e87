"""Small things about ASGI that all middleware shares."""

from starlette.types import Receive, Scope, Send

from ..errors import error_response


def header(scope: Scope, name: bytes) -> str | None:
    """A request's header; the last one where it was sent twice."""
    found: str | None = None
    for key, value in scope["headers"]:
        if key == name:
            found = value.decode("latin-1")
    return found


async def refuse(
    scope: Scope, receive: Receive, send: Send, error: Exception, *, close: bool = False
) -> None:
    """Answer with an error in the protocol's own form.

    Args:
        close: also end the connection: what is left of the body would be taken for a next request.
    """
    response = error_response(scope["path"], error)
    if close:
        response.headers["connection"] = "close"
    await response(scope, receive, send)
