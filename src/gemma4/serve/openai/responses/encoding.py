"""Events of Responses as bytes of a stream."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi.responses import StreamingResponse

from ...answers import Quiet
from ...responding import EVENT_STREAM, STREAM_HEADERS

PING: Final = b": ping\n\n"


def encoded(event: dict[str, Any]) -> bytes:
    """One event, named and numbered."""
    words = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {words}\n\n".encode()


def event_stream(events: AsyncIterator[dict[str, Any] | Quiet]) -> StreamingResponse:
    """An answer over events that are made whether it is read or not."""
    return StreamingResponse(_bytes(events), media_type=EVENT_STREAM, headers=STREAM_HEADERS)


async def _bytes(events: AsyncIterator[dict[str, Any] | Quiet]) -> AsyncIterator[bytes]:
    async for event in events:
        yield PING if isinstance(event, Quiet) else encoded(event)
