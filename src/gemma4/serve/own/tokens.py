"""Text to tokens and back, and a conversation as the text that the model reads."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from ...llm.llm import LLM
from ..desk import Desk
from ..openai.chat_body import ChatBody


class TokenizeBody(BaseModel):
    """A text; control tokens in it are plain text unless `parse_special` is set.

    Attributes:
        add_special: begin with `<bos>`. with_pieces: give each token's text beside its id.
    """

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    content: str
    add_special: bool = False
    parse_special: bool = False
    with_pieces: bool = False


class DetokenizeBody(BaseModel):
    """Token ids."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    tokens: list[int]


def token_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["gemma4"])

    @router.post("/tokenize")
    async def tokenize(body: TokenizeBody) -> dict[str, Any]:
        """Ids of a text; with pieces, each with its text, or its bytes where they are no text."""
        async with desk.models.use(body.model) as served:
            tokenizer = served.llm.tokenizer
            ids = tokenizer.encode(body.content, allow_special=body.parse_special)
            if body.add_special and ids[:1] != [tokenizer.bos_id]:
                ids = [tokenizer.bos_id, *ids]
            found = [_with_piece(served.llm, id) for id in ids] if body.with_pieces else ids
            return {"tokens": found, "count": len(ids), "n_ctx": served.llm.info.context}

    @router.post("/detokenize")
    async def detokenize(body: DetokenizeBody) -> dict[str, Any]:
        """The text of ids; special tokens are written as their literals."""
        async with desk.models.use(body.model) as served:
            return {"content": served.llm.tokenizer.decode(body.tokens)}

    @router.post("/apply-template")
    async def apply_template(body: ChatBody) -> dict[str, Any]:
        """The prompt of a chat completion, one placeholder for each medium, and how many tokens it has."""
        async with desk.models.use(body.model) as served:
            read = await desk.render(
                body.model, lambda served: body.question(desk.settings, served.llm)
            )
            return {
                "prompt": read.text,
                "input_tokens": len(read.ids),
                "template": served.llm.info.template,
                "warnings": list(read.warnings),
            }

    return router


def _with_piece(llm: LLM, id: int) -> dict[str, Any]:
    """A part of a character is given as its bytes."""
    data = llm.tokenizer.token_bytes(id)
    try:
        return {"id": id, "piece": data.decode()}
    except UnicodeDecodeError:
        return {"id": id, "piece": list(data)}
