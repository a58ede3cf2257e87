"""`POST /api/chat`."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ...llm.question import Question
from ..desk import Desk
from ..models import Served
from ..openai.tools import read_tools
from .asking import answer, load_or_unload
from .body import AskBody
from .lines import Form, chat_fields
from .messages import OllamaMessage, read_messages


class ChatBody(AskBody):
    """A conversation; without messages, the model is loaded or let go of."""

    messages: list[OllamaMessage] | None = None
    tools: list[dict[str, Any]] | None = None

    def question(self, served: Served) -> Question:
        """What is asked.

        Raises:
            RequestError, MessageError: it cannot be understood.
        """
        options = self.read_options(served.llm.info.context)
        thinking = self.wanted_thinking()
        tools, remarks = read_tools(self.tools or ())
        return Question(
            messages=read_messages(self.messages or ()),
            tools=tools,
            format=self.wanted_format(),
            thinking=thinking.enabled,
            thought_budget=thinking.budget,
            prompt_limit=options.prompt_limit,
            options=options.sampling,
            remarks=(*options.remarks, *remarks),
        )


def chat_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])

    @router.post("/api/chat")
    async def chat(body: ChatBody, request: Request) -> Response:
        """Answer a conversation, line by line unless `stream` is false."""
        form = Form(model=body.model or "", fields=chat_fields)
        if not body.messages:
            return await load_or_unload(desk, body, form)
        return await answer(desk, body, request, form, body.question)

    return router
