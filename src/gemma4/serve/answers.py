"""Answers on the event loop: what the worker's thread delivers, waited for without a thread.

ask → Begun → its turn, so that what cannot be done is told before a stream opens → events … → Finished
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self, TypeVar

from ..llm.events import ContentDelta, Event, Finished, ThoughtDelta
from ..llm.question import Continuation, Question
from ..llm.stream import Prepared
from ..llm.worker import Begun, Delivery, Failed, PrefillProgress, Ticket
from .errors import RequestError
from .settings import Limits
from .slot import Served

Asked = Question | Continuation
A = TypeVar("A", bound=Asked)
RETRY_SECONDS: Final = 2
"""When whoever was refused for want of room may try again."""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nothing came for a while: a sign of life is due."""


Item = Event | PrefillProgress | Quiet


class AnswerStream:
    """The events of one request. Use as a context: leaving it cancels what is not over.

    Args:
        served: counts it among its streams until it is over.
        deadline: on the clock of the event loop; None: none.

    Attributes:
        prompt_tokens: of the request, once it was accepted. cached_tokens: of them, once its turn has come.
    """

    def __init__(
        self, served: Served, prepared: Prepared, limits: Limits, *, deadline: float | None = None
    ) -> None:
        self.prompt_tokens = 0
        self.prepared = prepared
        self._served = served
        self._limits = limits
        self._deadline = deadline
        self._queue: asyncio.Queue[Sequence[Delivery]] = asyncio.Queue()
        self._first: Sequence[Delivery] | None = None
        self._ticket: Ticket | None = None
        self._is_over = False
        served.streams += 1

    @property
    def cached_tokens(self) -> int:
        """Of the prompt, found in pages of earlier requests."""
        turn = None if self._ticket is None else self._ticket.turn
        return 0 if turn is None else turn.request.cached_tokens

    async def begin(self) -> None:
        """Submit, and wait until the engine has accepted it.

        Raises:
            Gemma4Error: why it has not.
        """
        loop = asyncio.get_running_loop()
        put = self._queue.put_nowait
        self._ticket = self._served.worker.submit(
            self.prepared, lambda found: _hand_over(loop, put, found)
        )
        first = (await self._queue.get())[0]
        if isinstance(first, Failed):
            self._end()
            raise first.error
        assert isinstance(first, Begun)
        self.prompt_tokens = first.prompt_tokens

    async def turn(self) -> None:
        """Wait until its turn has come, so that too long a wait is told before a stream opens.

        Raises:
            RequestError: it has waited too long; it was cancelled.
        """
        seconds = self._limits.queue_seconds
        try:
            async with asyncio.timeout(seconds):
                self._first = await self._queue.get()
        except TimeoutError:
            self.cancel()
            raise RequestError(
                f"the request waited {seconds:g} s for its turn, {self._served.streams} others are there; "
                "try again later",
                status=503,
                code="queue_timeout",
                retry_after=RETRY_SECONDS,
            ) from None

    async def __aiter__(self) -> AsyncIterator[Item]:
        """Events to the end; pieces of one kind that came in one step are one."""
        while not self._is_over:
            found = await self._next()
            if found is None:
                yield Quiet()
                continue
            for item in joined(found):
                if isinstance(item, Finished | Failed):
                    self._end()
                if isinstance(item, Failed):
                    raise item.error
                assert not isinstance(item, Begun)
                yield item

    async def _next(self) -> Sequence[Delivery] | None:
        """What comes next; None: nothing for a while."""
        if self._first is not None:
            first, self._first = self._first, None
            return first
        wait = self._limits.ping_seconds
        if self._deadline is not None:
            left = self._deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise self._too_slow()
            wait = min(wait, left)
        try:
            async with asyncio.timeout(wait):
                return await self._queue.get()
        except TimeoutError:
            return None

    def _too_slow(self) -> RequestError:
        self.cancel()
        return RequestError(
            f"the answer took longer than {self._limits.request_seconds:g} s, which is the limit; ask for "
            "fewer tokens, or start the server with a larger --request-timeout",
            status=504,
            code="request_timeout",
        )

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
            self._served.worker.cancel(self._ticket)
        self._end()

    def _end(self) -> None:
        if not self._is_over:
            self._is_over = True
            self._served.streams -= 1


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


async def ask(served: Served, asked: Sequence[Asked], limits: Limits) -> list[AnswerStream]:
    """An answer to each; the first one's turn has come when this returns.

    Templates, tokenizing and decoding of media run on a thread, so that the loop goes on meanwhile.

    Raises:
        InputError: it cannot be done as asked.
        RequestError: too many wait, or its turn does not come.
        EnvironmentFault: the model is gone.
    """
    _check_queue(served, limits, len(asked))
    seconds = limits.request_seconds
    deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
    streams: list[AnswerStream] = []
    try:
        for one in asked:
            prepared = await asyncio.to_thread(served.llm.prepare, one)
            stream = AnswerStream(served, prepared, limits, deadline=deadline)
            streams.append(stream)
            await stream.begin()
        await streams[0].turn()
    except BaseException:
        for stream in streams:
            stream.cancel()
        raise
    return streams


def _check_queue(served: Served, limits: Limits, count: int) -> None:
    waiting, limit = served.waiting, limits.queue_length
    if waiting + min(count, served.streams + count - served.llm.info.max_requests) > limit:
        raise RequestError(
            f"{waiting} answers of {served.id} wait and the limit is {limit}; try again when some are whole",
            status=429,
            code="queue_full",
            retry_after=RETRY_SECONDS,
        )


def numbered(asked: A, count: int) -> list[A]:
    """The same so many times, each with a seed of its own: they differ, and can all be had again."""
    seed = asked.options.get("seed")
    if seed is None:
        return [asked] * count
    return [
        replace(asked, options={**asked.options, "seed": seed + number}) for number in range(count)
    ]
