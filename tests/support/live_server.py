"""A real server on a real port, in a thread: uvicorn over our application, scripted models behind it."""

import asyncio
import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import uvicorn

from gemma4.llm.llm import LLM
from gemma4.llm.worker import Worker
from gemma4.serve.app import make_app
from gemma4.serve.models import Models, Served
from gemma4.serve.patient_protocol import patient_protocol
from gemma4.serve.settings import ServeSettings
from gemma4.tools import Toolbox

T = TypeVar("T")


@dataclass(frozen=True)
class LiveServer:
    """Where it listens, and what runs in it."""

    url: str
    models: Models
    loop: asyncio.AbstractEventLoop

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return int(self.url.rpartition(":")[2])

    def on_loop(self, work: Callable[[], T]) -> T:
        """Run something on the event loop's thread, which alone may look at models."""

        async def run() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(10)


@contextlib.contextmanager
def live_server(
    llms: Sequence[LLM] = (),
    settings: ServeSettings | None = None,
    *,
    models: Models | None = None,
    journal: logging.Logger | None = None,
    toolbox: Toolbox | None = None,
) -> Iterator[LiveServer]:
    """Serve these models until the context is left."""
    settings = settings or ServeSettings()
    if models is None:
        served = [Served(id=llm.info.name, worker=Worker(llm)) for llm in llms]
        models = Models(served, limits=settings.limits, loading=settings.loading)
    app = make_app(models, settings, journal=journal, toolbox=toolbox)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    protocol = patient_protocol(settings.limits.header_seconds)
    config = uvicorn.Config(app, log_level="warning", lifespan="on", http=protocol, ws="none")
    server = uvicorn.Server(config)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve(sockets=[listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        yield LiveServer(url=url, models=models, loop=loops[0])
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        models.close()


def wait_until(condition: Callable[[], bool], seconds: float = 5.0) -> float:
    """Seconds until it holds; fails where it never does."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it never came to that"
        time.sleep(0.005)
    return time.monotonic() - started
