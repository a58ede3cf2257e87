"""A real server on a real port, in a thread: uvicorn over our application, scripted models behind it."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import uvicorn

from gemma4.llm.llm import LLM
from gemma4.llm.worker import Worker
from gemma4.serve.app import make_app
from gemma4.serve.models import Models, Served
from gemma4.serve.settings import ServeSettings


@dataclass(frozen=True)
class LiveServer:
    """Where it listens, and what runs in it."""

    url: str
    models: Models


@contextlib.contextmanager
def live_server(llms: Sequence[LLM], settings: ServeSettings | None = None) -> Iterator[LiveServer]:
    """Serve these models until the context is left."""
    models = Models([Served(id=llm.info.name, worker=Worker(llm)) for llm in llms])
    app = make_app(models, settings or ServeSettings())
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True
    )
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.01)
    try:
        yield LiveServer(url=f"http://127.0.0.1:{listener.getsockname()[1]}", models=models)
    finally:
        server.should_exit = True
        thread.join(timeout=30)
        models.close()
