"""`POST /v1/embeddings`: vectors out of the model's hidden states. It was not trained for that."""

import asyncio
import base64
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from ...llm.reading import POOLING, embeddings
from ..desk import Desk
from ..errors import RequestError
from ..models import Served
from ..on_worker import each_on_worker
from ..responding import while_connected
from .inputs import Inputs, read_inputs

MOST_TEXTS = 2048
_NOTE = "gemma4 is no embedding model; compare with one before you rely on these vectors"


class EmbeddingsBody(BaseModel):
    """The body; OpenAI's client asks for base64 unless told otherwise."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    input: Inputs
    encoding_format: Literal["float", "base64"] | None = "float"
    dimensions: int | None = Field(default=None, ge=1)


def embedding_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["OpenAI"])

    @router.post("/embeddings")
    async def embed(body: EmbeddingsBody, request: Request) -> Response:
        """A vector of length 1 for each text."""
        async with desk.models.use(body.model) as served:
            return JSONResponse(await while_connected(request, _embedded(body, served)))

    return router


async def _embedded(body: EmbeddingsBody, served: Served) -> dict[str, Any]:
    llm = served.llm
    width = llm.config.text.hidden_size
    if body.dimensions is not None and body.dimensions > width:
        raise RequestError(
            f"dimensions is {body.dimensions}; vectors of {served.id} have {width}",
            param="dimensions",
        )
    texts = await asyncio.to_thread(
        lambda: read_inputs(body.input, llm, param="input", most=MOST_TEXTS)
    )
    steps = embeddings(llm, texts, dimensions=body.dimensions)
    vectors = [found async for found in each_on_worker(served.worker, steps) if found is not None]
    tokens = sum(map(len, texts))
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _encoded(vector, body)}
            for index, vector in enumerate(vectors)
        ],
        "model": served.id,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "gemma4": {"pooling": POOLING, "dimensions": len(vectors[0]), "note": _NOTE},
    }


def _encoded(vector: Tensor, body: EmbeddingsBody) -> list[float] | str:
    """Numbers, or base64 of little-endian float32."""
    if body.encoding_format == "base64":
        return base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode()
    return vector.tolist()
