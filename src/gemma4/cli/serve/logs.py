"""`gemma4 logs`: what a server answered, a line for each request."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ...errors import EnvironmentFault
from ..output import JsonOption, NoColorOption, Output, QuietOption
from ..session import session_of
from .stop import ServerOption

_PAUSE: Final = 0.2


def logs(
    context: typer.Context,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on as lines come.")] = False,
    prompts: Annotated[
        bool, typer.Option("--prompts", help="Also what was asked and said, where it was logged.")
    ] = False,
    tail: Annotated[int, typer.Option("--tail", "-n", help="Lines at most; 0: all.")] = 100,
    server: ServerOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Show the log of the server that was started last.

    \b
    Examples:
      gemma4 logs -f
      gemma4 logs --prompts --tail 1
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    path = _log_of(session.settings.home, server)
    lines = path.read_text().splitlines()
    for line in lines[-tail:] if tail else lines:
        _show(out, line, prompts=prompts)
    if not prompts and any('"prompt": ' in line for line in lines):
        out.note("prompts and answers are in the log; --prompts shows them")
    if follow:
        for line in _coming(path):
            _show(out, line, prompts=prompts)


def _log_of(home: Path, url: str | None) -> Path:
    """Of a running server, else the log written last."""
    from .state import running_servers

    for running in running_servers(home):
        if url is None or running.url == url.rstrip("/"):
            return Path(running.log)
    found = sorted((home / "logs").glob("serve-*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not found or url is not None:
        raise EnvironmentFault(f"there is no log in {home / 'logs'}; `gemma4 serve` writes one")
    return found[-1]


def _coming(path: Path) -> Iterator[str]:
    """Lines from now on, also after the file was put aside for a new one."""
    position = path.stat().st_size
    while True:
        size = path.stat().st_size
        if size < position:
            position = 0
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read()
            whole = data.rpartition(b"\n")[0]
            position += len(whole) + 1 if whole else 0
            yield from whole.decode().splitlines()
        time.sleep(_PAUSE)


def _show(out: Output, line: str, *, prompts: bool) -> None:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    texts = {name: found.pop(name, None) for name in ("prompt", "answer")}
    if out.as_json:
        out.data(found | (texts if prompts and texts["prompt"] is not None else {}))
        return
    head = f"{found.pop('time', '')} {found.pop('status', '')} {found.pop('method', '')}"
    rest = " ".join(f"{name}={value}" for name, value in found.items() if name != "level")
    out.result(f"{head} {rest}")
    for name, text in texts.items() if prompts else ():
        if text is not None:
            out.result(f"--- {name}\n{text}")
