"""`POST /v1/chat/completions`."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ..desk import Desk
from ..responding import StreamedAnswers, while_connected
from .chat_body import ChatBody
from .chat_chunks import chat_chunks, whole_chat


def chat_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/chat/completions")
    async def chat_completions(body: ChatBody, request: Request) -> Response:
        """Answer a conversation; with `stream`, as server-sent events."""
        answers = await desk.ask(
            body.model,
            lambda _: body.question(desk.settings),
            count=body.n or 1,
            request=request,
        )
        if body.stream:
            wants_usage = body.stream_options is not None and body.stream_options.include_usage
            return StreamedAnswers(answers, chat_chunks(answers, include_usage=wants_usage))
        try:
            return JSONResponse(await while_connected(request, whole_chat(answers)))
        finally:
            await answers.aclose()

    return router
