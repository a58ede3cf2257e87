"""One request: its conversation made whole, its tools read, and what is kept of its answer."""

from collections.abc import Sequence
from typing import Any

from fastapi import Request

from ....errors import ContextError
from ....llm.question import Question
from ...desk import Answers, Desk
from ...errors import RequestError
from ...models import Served
from .body import ENCRYPTED, Item, ResponsesBody
from .gathering import gather
from .head import head_of
from .offered import Offered, offer
from .question import question_of
from .runs import Run
from .store import Kept, ResponseStore
from .truncation import ask_truncated
from .writing import ResponseWriter


class Asked:
    """What a body asks, against what is kept.

    Raises:
        RequestError, MessageError: it cannot be understood.
    """

    def __init__(self, body: ResponsesBody, store: ResponseStore, desk: Desk) -> None:
        body.check()
        self.body = body
        self.desk = desk
        self._store = store
        self._items: Sequence[Item] = gather(body, store)
        self._offered: Offered = offer(body.tools or ())

    def build(self, served: Served) -> Question:
        """The question, knowing who is asked."""
        return question_of(self.body, self._items, self._offered, served, self.desk.settings)

    async def ask(self, request: Request) -> Answers:
        """Ask; the engine has accepted it when this returns.

        Raises:
            RequestError, ModelNotFoundError, InputError, EnvironmentFault: it cannot be done.
        """
        try:
            if self.body.truncation == "auto":
                return await ask_truncated(self.desk, self.body.model, self.build, request)
            return await self.desk.ask(self.body.model, self.build, request=request)
        except ContextError as error:
            raise RequestError(str(error), code="context_length_exceeded", param="input") from error

    def writer(self, answers: Answers) -> ResponseWriter:
        """What writes the response."""
        return ResponseWriter(
            head_of(self.body, answers.served.id),
            forms=self._offered.forms,
            tokenizer=answers.served.llm.tokenizer,
            as_summary=self.body.reasoning is not None and self.body.reasoning.summary is not None,
            seals=ENCRYPTED in (self.body.include or ()) or not self.body.is_stored,
        )

    def keep(
        self,
        response: dict[str, Any],
        *,
        log: list[dict[str, Any]] | None = None,
        run: Run | None = None,
    ) -> None:
        """Keep what came of it, unless the client does not want that."""
        if self.body.is_stored:
            self._store.keep(Kept(response=response, items=self._items, log=log, run=run))
