"""Work on a thread of its own that no exit of the program waits for."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> "asyncio.Future[T]":
    """Start it; its result or error comes on the event loop.

    Not `asyncio.to_thread`: the loop's own executor is waited for when the loop ends, and loading a large
    model may take minutes.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            failure = error
            _tell(loop, lambda: _fail(future, failure))
        else:
            _tell(loop, lambda: _succeed(future, result))

    threading.Thread(target=run, name="gemma4-work", daemon=True).start()
    return future


def _tell(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop has ended: nobody waits
        loop.call_soon_threadsafe(callback)


def _succeed(future: "asyncio.Future[T]", result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: "asyncio.Future[T]", error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
