"""Answers on the event loop: what the worker's thread delivers, waited for without a thread.

ask → Begun, so that what cannot be done is told before a stream opens → events … → Finished
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self, TypeVar

from ..llm.events import ContentDelta, Event, Finished, ThoughtDelta
from ..llm.question import Continuation, Question
from ..llm.stream import Prepared
from ..llm.worker import Begun, Delivery, Failed, PrefillProgress, Ticket, Worker

Asked = Question | Continuation
A = TypeVar("A", bound=Asked)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing came for a while: a sign of life is due."""


Item = Event | PrefillProgress | Quiet


class AnswerStream:
    """The events of one request. Use as a context: leaving it cancels what is not over.

    Attributes:
        prompt_tokens: of the request, once it was accepted.
    """

    def __init__(self, worker: Worker, prepared: Prepared, *, ping_seconds: float) -> None:
        self.prompt_tokens = 0
        self._worker = worker
        self._prepared = prepared
        self._ping_seconds = ping_seconds
        self._queue: asyncio.Queue[Sequence[Delivery]] = asyncio.Queue()
        self._ticket: Ticket | None = None
        self._is_over = False

    async def begin(self) -> None:
        """Submit, and wait until the engine has accepted it.

        Raises:
            Gemma4Error: why it has not.
        """
        loop = asyncio.get_running_loop()
        put = self._queue.put_nowait
        self._ticket = self._worker.submit(
            self._prepared, lambda found: _hand_over(loop, put, found)
        )
        first = (await self._queue.get())[0]
        if isinstance(first, Failed):
            self._is_over = True
            raise first.error
        assert isinstance(first, Begun)
        self.prompt_tokens = first.prompt_tokens

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Events to the end; pieces of one kind that came in one step are one."""
        while not self._is_over:
            try:
                found = await asyncio.wait_for(self._queue.get(), self._ping_seconds)
            except TimeoutError:
                yield Quiet()
                continue
            for item in joined(found):
                if isinstance(item, Finished | Failed):
                    self._is_over = True
                if isinstance(item, Failed):
                    raise item.error
                assert not isinstance(item, Begun)
                yield item

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def cancel(self) -> None:
        """End it, if it is not over; its pages are free after the step that runs."""
        if self._ticket is not None and not self._is_over:
            self._worker.cancel(self._ticket)
        self._is_over = True


def _hand_over(
    loop: asyncio.AbstractEventLoop,
    put: Callable[[Sequence[Delivery]], None],
    found: Sequence[Delivery],
) -> None:
    loop.call_soon_threadsafe(put, found)


def joined(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """The same with neighbouring pieces of one kind put together: a step with drafts brings several."""
    found: list[Delivery] = []
    for item in deliveries:
        last = found[-1] if found else None
        if isinstance(item, ContentDelta) and isinstance(last, ContentDelta):
            found[-1] = ContentDelta(last.text + item.text, last.logprobs + item.logprobs)
        elif isinstance(item, ThoughtDelta) and isinstance(last, ThoughtDelta):
            found[-1] = ThoughtDelta(last.text + item.text)
        else:
            found.append(item)
    return found


async def ask(worker: Worker, asked: Sequence[Asked], *, ping_seconds: float) -> list[AnswerStream]:
    """An answer to each, all accepted by the engine.

    Templates, tokenizing and decoding of media run on a thread, so that the loop goes on meanwhile.

    Raises:
        InputError: it cannot be done as asked.
        EnvironmentFault: too many wait, or the model is gone.
    """
    streams: list[AnswerStream] = []
    try:
        for one in asked:
            prepared = await asyncio.to_thread(worker.llm.prepare, one)
            stream = AnswerStream(worker, prepared, ping_seconds=ping_seconds)
            streams.append(stream)
            await stream.begin()
    except BaseException:
        for stream in streams:
            stream.cancel()
        raise
    return streams


def numbered(asked: A, count: int) -> list[A]:
    """The same so many times, each with a seed of its own: they differ, and can all be had again."""
    seed = asked.options.get("seed")
    if seed is None:
        return [asked] * count
    return [
        replace(asked, options={**asked.options, "seed": seed + number}) for number in range(count)
    ]
