"""`gemma4 stop`: a model out of memory, or a whole server."""

import time
from pathlib import Path
from typing import Annotated, Final

import typer

from ..output import NoColorOption, QuietOption
from ..session import session_of

_PATIENCE: Final = 600.0
ServerOption = Annotated[
    str | None, typer.Option("--server", help="Its address; default: the one started last.")
]


def stop(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="To unload; default: the server ends.")
    ] = None,
    server: ServerOption = None,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Unload a model, or end the server. What runs is answered first.

    \b
    Examples:
      gemma4 stop e2b
      gemma4 stop
    """
    from .calling import call, only_server

    session = session_of(context)
    out = session.output(quiet=quiet, no_color=no_color)
    found = only_server(session.settings.home, server)
    if model is None:
        _end(found.pid, session.settings.home)
        out.note(f"the server at {found.url} has ended")
        return
    answer = call(found, "POST", "/models/unload", {"model": model})
    if answer["was_loaded"]:
        out.note(f"{answer['id']} goes as soon as nobody uses it")
    else:
        out.note(f"{answer['id']} is not loaded at {found.url}")


def _end(pid: int, home: Path) -> None:
    from ...errors import EnvironmentFault
    from .server import stop_process
    from .state import running_servers

    stop_process(pid)
    end = time.monotonic() + _PATIENCE
    while any(server.pid == pid for server in running_servers(home)):
        if time.monotonic() > end:
            raise EnvironmentFault(f"process {pid} still answers; end it with `kill -9 {pid}`")
        time.sleep(0.1)
