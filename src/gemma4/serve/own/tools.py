"""`GET /tools`, `POST /tools/call`: the tools that the server's owner started it with, for its own page.

A call runs code on this machine, so it must be JSON and come from the server's own page or from no page:
a form of a foreign page can send neither that content type nor an `Origin` that is ours.
"""

import asyncio
import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError

from ...text.messages import Image
from ...text.templates.template_messages import to_template_tools
from ...tools.box import Toolbox
from ...tools.result import ToolResult
from ..errors import RequestError
from ..middleware.body import SENT_TYPE


class CallBody(BaseModel):
    """A call as the model made it, approved by the person at the page."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


def tools_routes(box: Toolbox) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.get("/tools")
    async def tools() -> dict[str, Any]:
        """All tools, as chat completions take them; none where the server was started without."""
        return {"tools": to_template_tools(box.offered) or [], "remarks": list(box.remarks)}

    @router.post("/tools/call")
    async def call(request: Request) -> dict[str, Any]:
        """Run one and wait for its end; what it raises is an answer with `is_error`."""
        _check_sender(request)
        body = _read(await request.body())
        if body.name not in {tool.name for tool in box.offered}:
            raise RequestError(
                f"there is no tool {body.name!r}; GET /tools lists them", status=404, param="name"
            )
        return _described(await asyncio.to_thread(box.call, body.name, body.arguments))

    return router


def _read(data: bytes) -> CallBody:
    try:
        return CallBody.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(
            f"{'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}"
        ) from error


def _check_sender(request: Request) -> None:
    """Refuse what a foreign page could send.

    Raises:
        RequestError: 415 for another content type, 403 for another origin.
    """
    sent = request.scope.get(SENT_TYPE, request.headers.get("content-type", ""))
    kind = sent.partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RequestError(
            f"content-type is {kind or 'missing'}; a call must be application/json", status=415
        )
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise RequestError(
            f"a page of {origin} may not call tools; only the server's own page may", status=403
        )


def _described(result: ToolResult) -> dict[str, Any]:
    images = [_data_url(part) for part in result.media if isinstance(part, Image)]
    left_out = len(result.media) - len(images)
    note = f"\n[{left_out} sounds or clips left out]" if left_out else ""
    return {"content": result.text + note, "is_error": result.is_error, "images": images}


def _data_url(image: Image) -> str:
    source = image.source
    if isinstance(source, str) and source[:5].lower() == "data:":
        return source
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    return f"data:{_kind(data)};base64,{base64.b64encode(data).decode()}"


def _kind(data: bytes) -> str:
    """The type of a picture by its first bytes, as a page needs it to show it."""
    signs = {b"\x89PNG": "image/png", b"\xff\xd8": "image/jpeg", b"GIF8": "image/gif"}
    found = (kind for sign, kind in signs.items() if data.startswith(sign))
    return next(found, "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream")
