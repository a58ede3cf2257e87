"""`POST /v1/messages` and `POST /v1/messages/count_tokens`; queries such as `?beta=true` change nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ...errors import ContextError
from ...llm.question import Question
from ...llm.worker import PrefillProgress
from ..answers import Quiet
from ..counting import count_prompt
from ..desk import Answers, Desk
from ..errors import RequestError, anthropic_error, problem_of
from ..models import Served
from ..responding import StreamedAnswers, while_connected
from .body import CountBody, MessagesBody
from .question import question_of
from .writing import MessageFold, MessageWriter

_PING = {"type": "ping"}


def anthropic_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Anthropic"])

    @router.post("/messages")
    async def messages(body: MessagesBody, request: Request) -> Response:
        """Answer a conversation; with `stream`, as server-sent events."""
        answers = await _ask(desk, body, request)
        if body.stream:
            return StreamedAnswers(answers, _stream(answers, _writer(answers, body)))
        try:
            folding = _whole(answers, _writer(answers, body))
            return JSONResponse(await while_connected(request, folding))
        finally:
            await answers.aclose()

    @router.post("/messages/count_tokens")
    async def count_tokens(body: CountBody) -> dict[str, Any]:
        """Tokens of a conversation, nothing run."""
        count = await count_prompt(
            desk, body.model, lambda served: question_of(body, served, desk.settings)
        )
        return {"input_tokens": count}

    return router


async def _ask(desk: Desk, body: MessagesBody, request: Request) -> Answers:
    def build(served: Served) -> Question:
        return question_of(body, served, desk.settings)

    try:
        return await desk.ask(body.model, build, request=request)
    except ContextError as error:  # the words by which Claude Code knows that it must compact
        raise RequestError(
            f"prompt is too long: {error.needed} tokens > {error.limit} maximum ({error})"
        ) from error


def _writer(answers: Answers, body: MessagesBody) -> MessageWriter:
    is_managed = body.context_management is not None
    return MessageWriter(
        model=answers.served.id,
        prompt_tokens=answers.streams[0].prompt_tokens,
        shows_thought=body.thinking is None or body.thinking.display != "omitted",
        more={"context_management": {"applied_edits": []}} if is_managed else {},
    )


async def _events(answers: Answers, writer: MessageWriter) -> AsyncIterator[dict[str, Any]]:
    yield writer.begin()
    yield _PING
    async for _, item in answers:
        match item:
            case Quiet():
                yield _PING
            case PrefillProgress():
                continue
            case _:
                for event in writer.take(item):
                    yield event


async def _stream(answers: Answers, writer: MessageWriter) -> AsyncIterator[bytes]:
    """The bytes of a stream; an error in the middle is its last event."""
    try:
        async for event in _events(answers, writer):
            yield _encoded(event)
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield _encoded({"type": "error", **anthropic_error(problem_of(error))})
    finally:
        await answers.aclose()


async def _whole(answers: Answers, writer: MessageWriter) -> dict[str, Any]:
    fold = MessageFold()
    async for event in _events(answers, writer):
        fold.take(event)
    return fold.message


def _encoded(event: dict[str, Any]) -> bytes:
    words = json.dumps(event, ensure_ascii=False)
    return f"event: {event['type']}\ndata: {words}\n\n".encode()
