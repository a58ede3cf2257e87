"""uvicorn's protocol with a bound on the time that a request's head may take."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"connection: close\r\ncontent-length: 41\r\n\r\nthe head of the request stopped coming.\r\n"
)


def patient_protocol(seconds: float) -> type[H11Protocol]:
    """A protocol that ends connections whose request's head is not whole after so long."""

    class Patient(H11Protocol):
        """Uvicorn itself waits for ever: it bounds only the time between two requests."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._head_timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._watch_head()

        def handle_events(self) -> None:
            super().handle_events()
            self._watch_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_watching()
            super().connection_lost(exc)

        def _watch_head(self) -> None:
            """A timer runs while a head is on its way, from the first byte that is looked at."""
            if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
                self._stop_watching()
            elif self._head_timer is None and self._waits_for_head():
                self._head_timer = self.loop.call_later(seconds, self._give_up)

        def _waits_for_head(self) -> bool:
            """The first request of a connection, or the beginning of a next one."""
            return self.cycle is None or bool(self.conn.trailing_data[0])

        def _stop_watching(self) -> None:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None

        def _give_up(self) -> None:
            self._head_timer = None
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self.transport.write(_ANSWER)
                self.transport.close()

    return Patient
