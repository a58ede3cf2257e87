"""Errors in each protocol's own form, with the status that its clients act on."""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from ..errors import ContextError, EnvironmentFault, Gemma4Error, MediaError, ModelNotFoundError
from .record import record_of

_OPENAI_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    529: "overloaded_error",
}
_CLIENT_CLOSED = 499


class ClientGone(Exception):
    """Whoever asked has hung up; nobody reads what is answered."""


class RequestError(Exception):
    """A request that cannot be served as it is.

    Attributes:
        status: of HTTP. code: a word for programs. param: the part of the request that is wrong.
        retry_after: seconds after which it may be tried again.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What went wrong, in no protocol's form."""

    status: int
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: int | None = None


def problem_of(error: Exception) -> Problem:
    """What is told of an error; nothing of this machine's inside where it is our own fault."""
    match error:
        case RequestError():
            return Problem(
                status=error.status,
                message=str(error),
                code=error.code,
                param=error.param,
                retry_after=error.retry_after,
            )
        case ContextError():
            return Problem(
                status=400, message=str(error), code="context_length_exceeded", param="messages"
            )
        case ModelNotFoundError():
            return Problem(status=404, message=str(error), code="model_not_found", param="model")
        case MediaError():
            return Problem(status=400, message=str(error), param=error.where or None)
        case EnvironmentFault():
            return Problem(status=error.http_status, message=str(error), retry_after=1)
        case Gemma4Error():
            return Problem(status=error.http_status, message=str(error))
        case RequestValidationError():
            return _validation(error)
        case HTTPException():
            return Problem(status=error.status_code, message=str(error.detail))
        case _:
            message = f"unexpected {type(error).__name__}: {error}; this is a defect of gemma4"
            return Problem(status=500, message=message)


def openai_error(problem: Problem) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`."""
    status = problem.status
    kind = _OPENAI_TYPES.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {
        "error": {
            "message": problem.message,
            "type": kind,
            "param": problem.param,
            "code": problem.code,
        }
    }


def anthropic_error(problem: Problem) -> dict[str, Any]:
    """`{"type": "error", "error": {"type", "message"}}`."""
    fallback = "invalid_request_error" if problem.status < 500 else "api_error"
    kind = _ANTHROPIC_TYPES.get(problem.status, fallback)
    return {"type": "error", "error": {"type": kind, "message": problem.message}}


def ollama_error(problem: Problem) -> dict[str, Any]:
    """`{"error": "text"}`."""
    return {"error": problem.message}


def retry_headers(problem: Problem) -> dict[str, str]:
    """When to try again, in seconds, and as OpenAI's clients read it first, in milliseconds."""
    wait = problem.retry_after
    return {} if wait is None else {"retry-after": str(wait), "retry-after-ms": str(wait * 1000)}


def error_response(path: str, error: Exception) -> Response:
    """The answer to a request of this path that failed."""
    if isinstance(error, ClientGone):
        return Response(status_code=_CLIENT_CLOSED)
    problem = problem_of(error)
    plain = path.removeprefix("/v1")
    if plain.startswith("/messages"):
        body = anthropic_error(problem)
    elif plain.startswith("/api/"):
        body = ollama_error(problem)
    else:
        body = openai_error(problem)
    return JSONResponse(body, status_code=problem.status, headers=retry_headers(problem))


def error_event(error: Exception) -> bytes:
    """An error in the middle of OpenAI's stream."""
    return b"data: " + json.dumps(openai_error(problem_of(error))).encode() + b"\n\n"


def handle_errors(app: FastAPI) -> None:
    """Let every error leave in its protocol's form."""

    async def answer(request: Request, error: Exception) -> Response:
        record_of(request.scope).error = type(error).__name__
        return error_response(request.url.path, error)

    for kind in (Gemma4Error, RequestError, RequestValidationError, HTTPException, ClientGone):
        app.add_exception_handler(kind, answer)
    app.add_exception_handler(Exception, answer)


def _validation(error: RequestValidationError) -> Problem:
    """The first thing that is wrong with a body, named as the client would."""
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        why = first.get("ctx", {}).get("error", first["msg"])
        return Problem(
            status=400, message=f"the body is no JSON: {why} at character {first['loc'][-1]}"
        )
    place = [str(part) for part in first["loc"] if part != "body"]
    if not place and first["loc"][:1] == ("body",):
        return Problem(status=400, message="the body must be a JSON object")
    param = "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in place).lstrip(".")
    where = f"{param}: " if param else ""
    return Problem(status=400, message=f"{where}{first['msg']}", param=param or None)
