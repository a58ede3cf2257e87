"""`POST /v1/responses` and `POST /v1/responses/input_tokens`."""

from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ...answers import Quiet
from ...counting import count_prompt
from ...desk import Answers, Desk
from ...responding import StreamedAnswers, while_connected
from .asked import Asked
from .body import ResponsesBody
from .encoding import PING, encoded, event_stream
from .runs import Run, events_of
from .store import ResponseStore
from .stored_routes import stored_routes
from .writing import ResponseWriter


def responses_routes(desk: Desk) -> APIRouter:
    """All routes of responses, over one store."""
    router = APIRouter(tags=["OpenAI"])
    store = ResponseStore()

    @router.post("/responses")
    async def create(body: ResponsesBody, request: Request) -> Response:
        """Answer; with `stream`, as server-sent events; with `background`, without waiting for it."""
        asked = Asked(body, store, desk)
        answers = await asked.ask(request)
        writer = asked.writer(answers)
        if body.background:
            return _in_background(answers, writer, asked)
        if body.stream:
            return StreamedAnswers(answers, _stream(answers, writer, asked))
        try:
            response = await while_connected(request, _whole(answers, writer))
        finally:
            await answers.aclose()
        asked.keep(response)
        return JSONResponse(response)

    @router.post("/responses/input_tokens")
    async def input_tokens(body: ResponsesBody) -> dict[str, Any]:
        """Tokens of a conversation, nothing run."""
        count = await count_prompt(desk, body.model, Asked(body, store, desk).build)
        return {"object": "response.input_tokens", "input_tokens": count}

    router.include_router(stored_routes(desk, store))
    return router


def _in_background(answers: Answers, writer: ResponseWriter, asked: Asked) -> Response:
    """Start it; a client that hangs up does not stop it."""
    run = Run(answers, writer, lambda: asked.keep(writer.response, log=run.log, run=run))
    asked.keep(writer.response, log=run.log, run=run)
    run.start()
    if asked.body.stream:
        return event_stream(run.follow(0, ping_seconds=asked.desk.settings.limits.ping_seconds))
    return JSONResponse(writer.response)


async def _stream(answers: Answers, writer: ResponseWriter, asked: Asked) -> AsyncIterator[bytes]:
    """The bytes of a stream; what is to be kept is kept before its end is told."""
    log: list[dict[str, Any]] = []
    try:
        async for events in events_of(answers, writer):
            if isinstance(events, Quiet):
                yield PING
                continue
            if asked.body.is_stored:
                log += events
            if writer.is_over:
                asked.keep(writer.response, log=log)
            for event in events:
                yield encoded(event)
    except Exception as error:  # the status line has gone out: the stream itself must say it
        for event in writer.fail(error):
            yield encoded(event)
    finally:
        await answers.aclose()


async def _whole(answers: Answers, writer: ResponseWriter) -> dict[str, Any]:
    async for _ in events_of(answers, writer):
        pass
    return writer.response
