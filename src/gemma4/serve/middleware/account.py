"""Notes every request: its record, its line in the log, its place in the metrics, its headers."""

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..journal import request_line
from ..metrics import Metrics
from ..record import Record, put_record

_GONE = 499  # nginx's word for a client that hung up before its answer began


class Account:
    """Stands around all else.

    Args:
        keeps_text: whether what is asked and answered goes into the log.
    """

    def __init__(
        self, app: ASGIApp, *, metrics: Metrics, journal: logging.Logger, keeps_text: bool
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._journal = journal
        self._keeps_text = keeps_text

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request and note it, however it ends."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        record = Record(metrics=self._metrics, keeps_text=self._keeps_text)
        put_record(scope, record)
        status = _GONE

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                told = {"x-gemma4-request-id": record.id, **record.headers}
                pairs = [
                    (name.encode(), text.encode("latin-1", "replace"))
                    for name, text in told.items()
                ]
                message = {**message, "headers": [*message.get("headers", ()), *pairs]}
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            self._note(scope, record, status)

    def _note(self, scope: Scope, record: Record, status: int) -> None:
        route = route_of(scope)
        self._metrics.answered(route, status)
        line = request_line(record, method=scope["method"], route=route, status=status)
        self._journal.log(logging.INFO if status < 500 else logging.ERROR, line)


def route_of(scope: Scope) -> str:
    """The route's own pattern, never the path that a client made up."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) else "none"
