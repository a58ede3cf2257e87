"""`POST /v1/chat/completions`, and how many tokens such a request has."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ..desk import Desk
from ..responding import StreamedAnswers, while_connected
from .chat_body import ChatBody
from .chat_chunks import chat_chunks
from .chat_whole import whole_chat


def chat_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/chat/completions")
    async def chat_completions(body: ChatBody, request: Request) -> Response:
        """Answer a conversation; with `stream`, as server-sent events."""
        answers = await desk.ask(
            body.model,
            lambda served: body.question(desk.settings, served.llm),
            count=body.count(desk.settings),
            request=request,
        )
        legacy = body.is_legacy
        if body.stream:
            chunks = chat_chunks(answers, include_usage=body.wants_usage, legacy=legacy)
            return StreamedAnswers(answers, chunks)
        try:
            return JSONResponse(await while_connected(request, whole_chat(answers, legacy=legacy)))
        finally:
            await answers.aclose()

    @router.post("/chat/completions/input_tokens")
    async def input_tokens(body: ChatBody) -> dict[str, Any]:
        """Tokens of the prompt that this request would be, media included."""
        read = await desk.render(
            body.model, lambda served: body.question(desk.settings, served.llm)
        )
        return {"object": "chat.completion.input_tokens", "input_tokens": len(read.ids)}

    return router
