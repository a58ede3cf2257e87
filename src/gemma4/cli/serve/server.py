"""Runs a server in this process until it is told to end."""

import os
import secrets
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import uvicorn

from ...hub.store import Store
from ...serve.app import make_app
from ...serve.journal import close_journal, make_journal
from ...serve.loading import DiskLoader
from ...serve.middleware.keys import hash_key
from ...serve.models import Models
from ...serve.patient_protocol import patient_protocol
from ...serve.settings import ServeSettings
from ...serve.shelf import Shelf
from ...serve.slot import Served
from ...tools.box import Toolbox
from ..output import Output
from .banner import say_how, say_loaded, say_models, say_where
from .listener import listen, url_of
from .state import write_down

_KEEP_ALIVE_SECONDS = 75  # of an idle connection: longer than clients keep theirs


@dataclass(frozen=True, kw_only=True, slots=True)
class Serving:
    """What to run. `named`: models to load at once. `home`: where state and log lie."""

    settings: ServeSettings
    named: tuple[str, ...]
    shutdown_seconds: float
    home: Path


class Server(uvicorn.Server):
    """Ends gently at the first signal and at once at the second, whatever they are."""

    failure: BaseException | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came. Uvicorn would raise it again at the end, before anything is tidied up."""
        del frame
        if self.should_exit:
            os._exit(128 + sig)
        self.should_exit = True

    def fail(self, error: BaseException) -> None:
        """End, because of this."""
        self.failure = error
        self.should_exit = True


def run_server(serving: Serving, store: Store, out: Output, toolbox: Toolbox) -> None:
    """Serve until a signal, then finish what runs.

    Args:
        toolbox: that the page may call; closed by whoever made it.

    Raises:
        EnvironmentFault: the address cannot be had.
        Gemma4Error: a model that was named cannot be loaded.
    """
    settings = serving.settings
    shelf, loader = Shelf(store, serving.named), DiskLoader(store, settings.loading)
    listener = listen(settings.host, settings.port)
    url, key = url_of(listener, settings.host), _own_key(settings)
    say_where(out, url, settings)
    say_models(out, shelf.named, shelf.all(), loader)
    log = serving.home / "logs" / f"serve-{listener.getsockname()[1]}.jsonl"
    state = write_down(serving.home, url=url, log=log, key=key)
    announced: list[str] = []

    def loaded(served: Served) -> None:
        say_loaded(out, served)
        if not announced:
            say_how(out, served, url, needs_key=key is not None)
        announced.append(served.id)

    server: Server
    models = Models(
        shelf=shelf,
        loader=loader,
        loading=settings.loading,
        limits=settings.limits,
        on_loaded=loaded,
        on_failed=lambda error: server.fail(error),
    )
    journal = make_journal(log)
    app = make_app(models, _with_own_key(settings, key), journal=journal, toolbox=toolbox)
    server = Server(_config(app, serving))
    try:
        server.run(sockets=[listener])
    finally:
        state.unlink(missing_ok=True)
        models.close()
        close_journal(journal)
    if server.failure is not None:
        raise server.failure
    out.note("ended")


def _config(app: object, serving: Serving) -> uvicorn.Config:
    seconds = min(serving.shutdown_seconds, 86400.0)
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        http=patient_protocol(serving.settings.limits.header_seconds),
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(seconds)),
    )


def _own_key(settings: ServeSettings) -> str | None:
    """A key of this run for `gemma4 ps` and its like, where keys are asked for."""
    return f"local-{secrets.token_urlsafe(24)}" if settings.access.key_hashes else None


def _with_own_key(settings: ServeSettings, key: str | None) -> ServeSettings:
    if key is None:
        return settings
    hashes = (*settings.access.key_hashes, hash_key(key))
    return replace(settings, access=replace(settings.access, key_hashes=hashes))


def stop_process(pid: int) -> None:
    """Ask a server to end when what runs is answered."""
    os.kill(pid, signal.SIGTERM)
