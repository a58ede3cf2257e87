"""`POST /api/generate`: one prompt, with the model's template, another one, or none."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from ..answers import Asked
from ..desk import Answers, Desk
from ..errors import RequestError
from ..models import Served
from .asking import answer, load_or_unload
from .body import AskBody
from .context import context_after, read_context
from .generate_prompt import raw_continuation, template_continuation, user_question
from .lines import Form, generate_fields


class GenerateBody(AskBody):
    """A prompt; without one, the model is loaded or let go of."""

    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    raw: bool | None = False
    images: list[str] | None = None
    width: int | None = None
    height: int | None = None
    steps: int | None = None

    def check(self) -> None:
        """Refuse what no Gemma does, and what contradicts itself.

        Raises:
            RequestError: by name.
        """
        if self.suffix:
            raise _refusal(
                "suffix", "Gemma 4 was not trained to fill in the middle; ask for it in words"
            )
        for name in ("width", "height", "steps"):
            if getattr(self, name):
                raise _refusal(name, "no model here makes pictures; leave it out")
        if self.raw:
            named = ("system", "template", "context", "images", "think")
            for name in named:
                if getattr(self, name):
                    raise _refusal(name, "raw: true takes the prompt alone; leave one of them out")
        if self.template and (self.images or self.think):
            name = "images" if self.images else "think"
            raise _refusal(name, "a template of the request has no place for it; leave one out")

    def asked(self, served: Served) -> Asked:
        """What is asked.

        Raises:
            RequestError, MessageError: it cannot be understood.
        """
        options = self.read_options(served.llm.info.context)
        wanted = self.wanted_format()
        before = read_context(self.context, served.llm)
        if self.raw:
            return raw_continuation(self.prompt or "", wanted, options, served.llm)
        if self.template:
            values = {"System": self.system or "", "Prompt": self.prompt or "", "Response": ""}
            return template_continuation(self.template, values, before, wanted, options, served.llm)
        return user_question(
            self.prompt or "",
            system=self.system,
            images=self.images,
            thinking=self.wanted_thinking(),
            before=before,
            format=wanted,
            options=options,
        )


def generate_routes(desk: Desk) -> APIRouter:
    """The routes."""
    router = APIRouter(tags=["Ollama"])

    @router.post("/api/generate")
    async def generate(body: GenerateBody, request: Request) -> Response:
        """Answer a prompt, line by line unless `stream` is false."""
        form = Form(model=body.model or "", fields=generate_fields)
        body.check()
        if not body.prompt and not body.images:
            return await load_or_unload(desk, body, form)

        def remember(answers: Answers) -> None:
            if not body.raw:
                prompt = answers.streams[0].prepared.ids
                form.context_after = context_after(prompt, answers.served.llm)

        return await answer(desk, body, request, form, body.asked, remember)

    return router


def _refusal(name: str, why: str) -> RequestError:
    return RequestError(f"{name}: {why}", param=name)
