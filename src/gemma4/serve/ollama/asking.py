"""What chat and generate do alike: load, unload, ask, and send the answer in either form."""

from collections.abc import Callable
from time import perf_counter

from fastapi import Request
from fastapi.responses import JSONResponse, Response

from ..answers import Asked
from ..desk import Answers, Desk
from ..models import Served
from ..responding import StreamedAnswers, while_connected
from .body import AskBody
from .keep_alive import read_keep_alive
from .lines import NDJSON, Form, Piece, answer_lines, whole_answer


async def load_or_unload(desk: Desk, body: AskBody, form: Form) -> Response:
    """Answer a request that asks nothing: it loads the model, or with `keep_alive: 0` lets go of it."""
    seconds = read_keep_alive(body.keep_alive)
    if seconds == 0:
        desk.models.unload(body.model or "")
        return JSONResponse(form.line(Piece(), done=True, done_reason="unload"))
    await desk.models.load(body.model or "", keep_alive=seconds)
    return JSONResponse(form.line(Piece(), done=True, done_reason="load"))


async def answer(
    desk: Desk,
    body: AskBody,
    request: Request,
    form: Form,
    build: Callable[[Served], Asked],
    after: Callable[[Answers], None] = lambda _: None,
) -> Response:
    """Ask, and answer as lines, or with `stream: false` as one object.

    Args:
        after: told of the answers once the engine has accepted the question.

    Raises:
        ModelNotFoundError, InputError, EnvironmentFault, RequestError: it cannot be done.
    """
    seconds = read_keep_alive(body.keep_alive)
    answers = await desk.ask(body.model, build, request=request, keep_alive=seconds)
    form.accepted = perf_counter()
    after(answers)
    if body.wants_stream:
        return StreamedAnswers(answers, answer_lines(answers, form), media_type=NDJSON)
    try:
        return JSONResponse(await while_connected(request, whole_answer(answers, form)))
    finally:
        await answers.aclose()
