"""A response made in the background: it goes on whoever reads it, from whichever event on."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from ....llm.worker import PrefillProgress
from ...answers import Quiet
from ...desk import Answers
from .writing import ResponseWriter


async def events_of(
    answers: Answers, writer: ResponseWriter
) -> AsyncIterator[list[dict[str, Any]] | Quiet]:
    """What each step brings, as the protocol's events."""
    yield list(writer.begin())
    async for _, item in answers:
        match item:
            case Quiet():
                yield item
            case PrefillProgress():
                continue
            case _:
                yield list(writer.take(item))


class Run:
    """Answers turned into a log of events by a task of their own.

    Args:
        on_end: told when nothing more will come.

    Attributes:
        log: all events so far; an event's number is its place.
        is_over: whether that is all.
    """

    def __init__(
        self, answers: Answers, writer: ResponseWriter, on_end: Callable[[], None]
    ) -> None:
        self.log: list[dict[str, Any]] = list(writer.queue())
        self.is_over = False
        self._answers = answers
        self._writer = writer
        self._on_end = on_end
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; the loop must run."""
        self._task = asyncio.create_task(self._work())

    def cancel(self) -> None:
        """Stop it, if it is not over."""
        if not self.is_over and self._task is not None:
            self._writer.cancel()
            self._task.cancel()
            self._close()

    async def follow(
        self, start: int, *, ping_seconds: float
    ) -> AsyncIterator[dict[str, Any] | Quiet]:
        """The log from a place on, to its end; `Quiet` where nothing comes for a while."""
        while True:
            while start < len(self.log):
                yield self.log[start]
                start += 1
            if self.is_over:
                return
            try:
                await asyncio.wait_for(self._news.wait(), ping_seconds)
            except TimeoutError:
                yield Quiet()

    async def _work(self) -> None:
        try:
            async for events in events_of(self._answers, self._writer):
                if not isinstance(events, Quiet):
                    self._add(events)
        except Exception as error:  # whoever asks for the response is told
            self._add(list(self._writer.fail(error)))
        finally:
            await self._answers.aclose()
            self._close()

    def _add(self, events: list[dict[str, Any]]) -> None:
        self.log += events
        self._tell()

    def _close(self) -> None:
        if not self.is_over:
            self.is_over = True
            self._on_end()
            self._tell()

    def _tell(self) -> None:
        """Wake who waits, and let the next ones wait anew."""
        self._news.set()
        self._news = asyncio.Event()
