"""A server that speaks the page's side of the contract and answers what a test wrote down for it.

It streams scripted answers over real HTTP, and keeps every request and every address that was asked for.
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles

WEB = Path(__file__).parents[2] / "src" / "gemma4" / "serve" / "web"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
FULL = ["completion", "vision", "audio", "video", "tools", "thinking"]
SAMPLING = {"temperature": 1.0, "top_k": 64, "top_p": 0.95, "min_p": 0.0, "repetition_penalty": 1.0}


# ── steps of an answer ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Delta:
    """One chunk of the stream."""

    fields: dict[str, Any]


@dataclass(frozen=True)
class Wait:
    """Nothing until the test says `script.go()`: what comes when depends on no clock."""


@dataclass(frozen=True)
class Refuse:
    """An error instead of a stream."""

    status: int
    message: str
    code: str | None = None


@dataclass(frozen=True)
class Break:
    """An error inside the stream, or with no message the connection's end."""

    message: str | None = None


@dataclass(frozen=True)
class End:
    """What the last chunks say."""

    reason: str = "stop"
    prompt: int = 21
    report: dict[str, Any] = field(default_factory=dict)


Step = Delta | Wait | Refuse | Break | End


def say(text: str, width: int = 0) -> list[Step]:
    """Text of the answer, in pieces of `width` characters (0: in one)."""
    return [Delta({"content": piece}) for piece in _pieces(text, width)]


def think(text: str, width: int = 0) -> list[Step]:
    """A thought, in pieces of `width` characters (0: in one)."""
    return [Delta({"reasoning_content": piece}) for piece in _pieces(text, width)]


def call(name: str, arguments: dict[str, Any], index: int = 0) -> list[Step]:
    """A call of a tool, whole."""
    function = {"name": name, "arguments": json.dumps(arguments)}
    return [
        Delta(
            {
                "tool_calls": [
                    {
                        "index": index,
                        "id": f"call_{index}",
                        "type": "function",
                        "function": function,
                    }
                ]
            }
        )
    ]


def _pieces(text: str, width: int) -> list[str]:
    return [text[at : at + width] for at in range(0, len(text), width)] if width else [text]


# ── the server ────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Script:
    """What the server has, answers next, and was asked."""

    models: list[dict[str, Any]] = field(
        default_factory=lambda: [model("e4b", FULL), model("gemma3:270m", FULL[:1], loaded=False)]
    )
    props: dict[str, dict[str, Any]] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)
    results: dict[str, str | Refuse] = field(default_factory=dict)
    answers: list[list[Step]] = field(default_factory=list)
    key: str | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    aborted: int = 0
    passes: int = 0

    def go(self) -> None:
        """Let one answer that waits go on."""
        self.passes += 1

    def answer(self, *steps: list[Step] | Step) -> None:
        """The next request is answered so; `End()` is added where no other end is."""
        flat = [one for step in steps for one in (step if isinstance(step, list) else [step])]
        if not any(isinstance(step, End | Refuse | Break) for step in flat):
            flat.append(
                End(
                    "tool_calls"
                    if any("tool_calls" in s.fields for s in flat if isinstance(s, Delta))
                    else "stop"
                )
            )
        self.answers.append(flat)


def model(
    name: str, capabilities: list[str], *, loaded: bool = True, context: int = 8192
) -> dict[str, Any]:
    """An entry of /v1/models."""
    return {"id": name, "object": "model", "created": 0, "owned_by": "gemma4", "context_length": context,
            "capabilities": capabilities, "loaded": loaded}  # fmt: skip


def tool(name: str, description: str, **parameters: str) -> dict[str, Any]:
    """A declaration of /tools; parameters are names and types."""
    properties = {key: {"type": kind} for key, kind in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {
        "type": "function",
        "function": {"name": name, "description": description, "parameters": schema},
    }


class PageServer:
    """The server in a thread of its own, at an address of its own. Tests change `script`."""

    def __init__(self) -> None:
        self.script = Script()
        self.address = ""
        config = uvicorn.Config(
            Guarded(self, _app(self)),
            host="127.0.0.1",
            port=0,
            log_level="error",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def start(self) -> None:
        """Begin to listen, at `address`."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the page's server did not start")
            threading.Event().wait(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        """Close."""
        self._server.should_exit = True
        self._thread.join(5)


class Guarded:
    """Around the application: notes each address, asks for the key, adds the policy."""

    def __init__(self, server: PageServer, app: FastAPI) -> None:
        self._server = server
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, or the server's life span."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        script, path = self._server.script, scope["path"]
        script.paths.append(path)
        headers = dict(scope["headers"])
        public = path == "/" or path.startswith("/web/")
        if (
            script.key
            and not public
            and headers.get(b"authorization") != f"Bearer {script.key}".encode()
        ):
            refusal = _error(Refuse(401, "A valid API key is needed.", "invalid_api_key"))
            return await refusal(scope, receive, send)

        async def send_with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                policy = [
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                ]
                message = {**message, "headers": [*message["headers"], *policy]}
            await send(message)

        return await self._app(scope, receive, send_with_policy)


def _app(server: PageServer) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html")

    @app.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {"object": "list", "data": server.script.models}

    @app.get("/props")
    async def props(model: str) -> dict[str, Any]:
        return {**_props(server.script, model), **server.script.props.get(model, {})}

    @app.get("/tools")
    async def tools() -> dict[str, Any]:
        return {"tools": server.script.tools}

    @app.post("/tools/call")
    async def tool_call(request: Request) -> Response:
        body = await request.json()
        server.script.calls.append(body)
        result = server.script.results.get(
            body["name"], Refuse(404, f"There is no tool {body['name']}.")
        )
        return _error(result) if isinstance(result, Refuse) else JSONResponse({"content": result})

    @app.post("/v1/chat/completions")
    async def chat(request: Request) -> Response:
        body = await request.json()
        script = server.script
        script.bodies.append(body)
        steps = script.answers.pop(0) if script.answers else [*say("Hello!"), End()]
        if isinstance(steps[0], Refuse):
            return _error(steps[0])
        return StreamingResponse(_stream(script, body, steps), media_type="text/event-stream")

    app.mount("/web", StaticFiles(directory=WEB), name="web")
    return app


def _props(script: Script, name: str) -> dict[str, Any]:
    known = next((one for one in script.models if one["id"] == name), model(name, FULL[:1]))
    has = set(known["capabilities"])
    return {
        "model": name,
        "n_ctx": known["context_length"],
        "modalities": {kind: kind in has for kind in ("vision", "audio", "video")},
        "thinking": "thinking" in has,
        "tools": "tools" in has,
        "default_generation_settings": SAMPLING,
        "template": "gemma4 (from the checkpoint)",
        "notes": [],
        "limits": {"max_body_bytes": 64_000_000, "image_budgets": [70, 140, 280, 560, 1120]},
    }


def _error(refusal: Refuse) -> JSONResponse:
    error = {
        "message": refusal.message,
        "type": "invalid_request_error",
        "param": None,
        "code": refusal.code,
    }
    return JSONResponse({"error": error}, refusal.status)


async def _stream(script: Script, body: dict[str, Any], steps: list[Step]) -> AsyncIterator[str]:
    written = 0
    try:
        for step in steps:
            match step:
                case Wait():
                    while not script.passes:
                        await asyncio.sleep(0.01)
                    script.passes -= 1
                case Delta(fields):
                    written += 1
                    yield _chunk(
                        body,
                        choices=[{"index": 0, "delta": fields, "finish_reason": None}],
                        usage=None,
                    )
                case Break(None):
                    return
                case Break(message):
                    yield f"data: {json.dumps({'error': {'message': message, 'type': 'server_error'}})}\n\n"
                    return
                case End(reason, prompt, report):
                    for chunk in _ending(body, reason, prompt, written, report):
                        yield chunk
    except asyncio.CancelledError:
        script.aborted += 1
        raise


def _ending(
    body: dict[str, Any], reason: str, prompt: int, written: int, report: dict[str, Any]
) -> list[str]:
    usage = {"prompt_tokens": prompt, "completion_tokens": written, "total_tokens": prompt + written,
             "prompt_tokens_details": {"cached_tokens": 3},
             "completion_tokens_details": {"reasoning_tokens": 0}}  # fmt: skip
    timings = {"prompt_n": prompt, "prompt_ms": 40.0, "prompt_per_second": 525.0, "predicted_n": written,
               "predicted_ms": 500.0, "predicted_per_second": 42.5, "cache_n": 3}  # fmt: skip
    done = {"template": "gemma4", "thinking": False, "sampling": SAMPLING, "device": "cpu",
            "dtype": "float32", "kernels": "native (avx512)", "context": 8192, "finish_detail": reason,
            "media": [], "warnings": []}  # fmt: skip
    return [
        _chunk(body, choices=[{"index": 0, "delta": {}, "finish_reason": reason}], usage=None),
        _chunk(body, choices=[], usage=usage, timings=timings, gemma4={**done, **report}),
        "data: [DONE]\n\n",
    ]


def _chunk(body: dict[str, Any], **fields: Any) -> str:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 0,
        "model": body["model"],
        **fields,
    }
    return f"data: {json.dumps(chunk)}\n\n"
