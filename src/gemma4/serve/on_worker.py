"""Work on a model's own thread, between two steps of its engine, waited for on the event loop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from ..llm.worker import Worker

T = TypeVar("T")


async def on_worker(worker: Worker, work: Callable[[], T]) -> T:
    """Its result.

    Raises:
        EnvironmentFault: the model was unloaded before.
        Exception: whatever the work raised.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def job() -> None:
        try:
            result = work()
        except Exception as error:
            fail(error)
        else:
            _tell(loop, lambda: None if future.done() else future.set_result(result))

    def fail(error: Exception) -> None:
        _tell(loop, lambda: None if future.done() else future.set_exception(error))

    worker.call(job, on_gone=fail)
    return await future


async def each_on_worker(worker: Worker, steps: Iterator[T]) -> AsyncIterator[T]:
    """What an iterator yields, each step of it a job of its own: the engine goes on between two of them."""
    boxed = ((found,) for found in steps)
    while (box := await on_worker(worker, lambda: next(boxed, None))) is not None:
        yield box[0]


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed: nobody waits
        loop.call_soon_threadsafe(callback)
