"""`POST /api/embed`, and `/api/embeddings` as it was called before: vectors out of hidden states."""

import asyncio
from time import perf_counter
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from ...llm.llm import LLM
from ...llm.reading import POOLING, embeddings
from ..desk import Desk
from ..errors import RequestError
from ..models import Served
from ..on_worker import each_on_worker
from ..openai.embeddings import MOST_TEXTS
from ..openai.inputs import read_inputs
from ..responding import while_connected
from .keep_alive import read_keep_alive
from .options import read_options

_NANOSECONDS = 10**9


class EmbedBody(BaseModel):
    """Texts; one that is longer than the context is cut unless `truncate` is false."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    input: str | list[str] | None = None
    prompt: str | None = None
    truncate: bool | None = True
    dimensions: int | None = Field(default=None, ge=1)
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None


def embed_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])

    async def embedded(body: EmbedBody, request: Request, texts: list[str]) -> dict[str, Any]:
        started = perf_counter()
        seconds = read_keep_alive(body.keep_alive)
        async with desk.models.use(body.model, keep_alive=seconds) as served:
            ready = perf_counter()
            found = await while_connected(request, _vectors(body, texts, served))
        return {
            "model": body.model or served.id,
            **found,
            "total_duration": round((perf_counter() - started) * _NANOSECONDS),
            "load_duration": round((ready - started) * _NANOSECONDS),
        }

    @router.post("/api/embed")
    async def embed(body: EmbedBody, request: Request) -> Response:
        """A vector of length 1 for each text."""
        texts = [body.input] if isinstance(body.input, str) else list(body.input or ())
        return JSONResponse(await embedded(body, request, texts))

    @router.post("/api/embeddings")
    async def embed_one(body: EmbedBody, request: Request) -> Response:
        """The vector of one text."""
        found = await embedded(body, request, [body.prompt or ""])
        return JSONResponse({"embedding": found["embeddings"][0], "gemma4": found["gemma4"]})

    return router


async def _vectors(body: EmbedBody, texts: list[str], served: Served) -> dict[str, Any]:
    llm, width = served.llm, served.llm.config.text.hidden_size
    if body.dimensions is not None and body.dimensions > width:
        raise RequestError(
            f"dimensions is {body.dimensions}; vectors of {served.id} have {width}",
            param="dimensions",
        )
    read = read_options(body.options, context=llm.info.context)
    limit = read.prompt_limit or llm.info.context - 1
    ids, cut = await asyncio.to_thread(
        _ids, texts, llm, limit if body.truncate is not False else None
    )
    steps = embeddings(llm, ids, dimensions=body.dimensions)
    vectors = [found async for found in each_on_worker(served.worker, steps) if found is not None]
    remarks = [f"input[{index}] was cut to {limit} tokens" for index in cut]
    return {
        "embeddings": [vector.tolist() for vector in vectors],
        "prompt_eval_count": sum(map(len, ids)),
        "gemma4": {"pooling": POOLING, "warnings": [*read.remarks, *remarks]},
    }


def _ids(
    texts: list[str], llm: LLM, limit: int | None
) -> tuple[list[tuple[int, ...]], tuple[int, ...]]:
    """Each text as ids, and which were cut to the limit; None: a longer one is refused."""
    bos, encode = llm.tokenizer.bos_id, llm.tokenizer.encode
    whole = [[bos, *encode(text)] if text else [] for text in texts]
    cut = tuple(i for i, ids in enumerate(whole) if limit is not None and len(ids) > limit)
    shortened = [ids[:limit] for ids in whole]
    return read_inputs(shortened, llm, param="input", most=MOST_TEXTS), cut
