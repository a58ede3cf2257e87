"""Where requests of all protocols come together: a model is held, asked, and let go of."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack

from fastapi import Request

from ..llm.conversation import ReadConversation
from ..llm.question import Question
from .answers import AnswerStream, Asked, Item, ask, numbered
from .models import Models, Served
from .record import Record, record_of
from .settings import ServeSettings


class Answers:
    """The answers to one request; `aclose` cancels what is not over and lets go of the model.

    Attributes:
        served: the model that answers.
        asked: what it was asked, answer by answer.
        streams: one for each answer that was wanted.
    """

    def __init__(
        self,
        served: Served,
        asked: Sequence[Asked],
        streams: list[AnswerStream],
        held: AsyncExitStack,
        record: Record,
    ) -> None:
        self.served = served
        self.asked = asked
        self.streams = streams
        self._held = held
        self._record = record

    async def __aiter__(self) -> AsyncIterator[tuple[int, Item]]:
        """Events with the number of their answer, as they come."""
        try:
            async for index, item in self._pairs():
                self._record.note(index, item)
                yield index, item
        except Exception as error:  # in the middle of a stream no status tells it
            self._record.error = type(error).__name__
            raise

    async def _pairs(self) -> AsyncIterator[tuple[int, Item]]:
        if len(self.streams) == 1:
            async for item in self.streams[0]:
                yield 0, item
            return
        async for pair in _merged(self.streams):
            yield pair

    async def aclose(self) -> None:
        """End it; to be called in any case."""
        for stream in self.streams:
            stream.cancel()
        await self._held.aclose()


class Desk:
    """What every protocol's routes share."""

    def __init__(self, models: Models, settings: ServeSettings) -> None:
        self.models = models
        self.settings = settings

    async def ask(
        self,
        model: str | None,
        build: Callable[[Served], Asked],
        *,
        count: int = 1,
        request: Request | None = None,
        keep_alive: float | None = -1.0,
    ) -> Answers:
        """Ask a model; the engine has accepted all, and begun with the first, when this returns.

        Args:
            build: makes the question, knowing who is asked; runs on a thread, for it may fetch media.
            request: that asks, so that it is noted what its answers take; the log does not know otherwise.
            keep_alive: seconds that the model stays afterwards; None: for ever; negative: as it is.

        Raises:
            ModelNotFoundError, InputError, EnvironmentFault: it cannot be done.
        """
        return await self.ask_all(
            model,
            lambda served: numbered(build(served), count),
            request=request,
            keep_alive=keep_alive,
        )

    async def ask_all(
        self,
        model: str | None,
        build: Callable[[Served], Sequence[Asked]],
        *,
        request: Request | None = None,
        keep_alive: float | None = -1.0,
    ) -> Answers:
        """Ask a model several things at once; see `ask`."""
        record = Record() if request is None else record_of(request.scope)
        async with AsyncExitStack() as stack:
            held = self.models.use(model, keep_alive=keep_alive)
            served = await stack.enter_async_context(held)
            record.model = served.id
            asked = await asyncio.to_thread(build, served)
            streams = await ask(served, asked, self.settings.limits)
            first = streams[0]
            facts = first.prepared.facts
            record.accept(served.id, facts, first.prompt_tokens, first.cached_tokens)
            if record.keeps_text:
                record.prompt = served.llm.tokenizer.decode(first.prepared.ids)
            return Answers(served, asked, streams, stack.pop_all(), record)

    async def render(
        self, model: str | None, build: Callable[[Served], Question]
    ) -> ReadConversation:
        """The prompt that a question would be, however long; nothing is answered.

        Raises:
            ModelNotFoundError, InputError: it cannot be done.
        """
        async with self.models.use(model) as served:
            return await asyncio.to_thread(lambda: served.llm.render(build(served)))


async def _merged(streams: list[AnswerStream]) -> AsyncIterator[tuple[int, Item]]:
    """Whatever comes first; an error of one ends them all."""
    found: asyncio.Queue[tuple[int, Item] | None] = asyncio.Queue()

    async def read(index: int, stream: AnswerStream) -> None:
        async for item in stream:
            found.put_nowait((index, item))

    async def read_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for index, stream in enumerate(streams):
                    group.create_task(read(index, stream))
        finally:
            found.put_nowait(None)

    reading = asyncio.create_task(read_all())
    try:
        while (pair := await found.get()) is not None:
            yield pair
        try:
            await reading
        except ExceptionGroup as group:
            raise group.exceptions[0] from None
    finally:
        reading.cancel()
