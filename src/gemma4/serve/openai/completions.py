"""`POST /v1/completions`: texts that are gone on with, without a template."""

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from ..desk import Desk
from ..responding import StreamedAnswers, while_connected
from .completion_body import CompletionBody
from .completion_pieces import Completions


def completion_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/completions")
    async def completions(body: CompletionBody, request: Request) -> Response:
        """Go on with each prompt; with `stream`, as server-sent events."""
        answers = await desk.ask_all(
            body.model, lambda served: body.asked(desk.settings, served), request=request
        )
        found = Completions(
            answers,
            echo=bool(body.echo),
            logprobs=body.logprobs,
            num_prompts=len(answers.streams) // (body.n or 1),
            with_bos=isinstance(body.prompt, str) or isinstance(body.prompt[0], str),
        )
        if body.stream:
            return StreamedAnswers(answers, found.chunks(include_usage=body.wants_usage))
        try:
            return JSONResponse(await while_connected(request, found.whole()))
        finally:
            await answers.aclose()

    return router
