"""Servers that run on this machine: a small file for each below the data home, gone when it ends."""

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A server.

    Attributes:
        started: of its process, in seconds since 1970; with `pid` it names one process for all times.
        log: its file. key: lets the commands of this machine's user in; None where no key is needed.
    """

    pid: int
    started: float
    url: str
    log: str
    key: str | None = None


def server_file(home: Path, pid: int) -> Path:
    """Where a server is written down."""
    return home / "servers" / f"{pid}.json"


def write_down(home: Path, *, url: str, log: Path, key: str | None) -> Path:
    """Say that this process serves. Only its user may read it: it may hold a key."""
    pid = os.getpid()
    path = server_file(home, pid)
    path.parent.mkdir(parents=True, exist_ok=True)
    started = psutil.Process(pid).create_time()
    found = Running(pid=pid, started=started, url=url, log=str(log), key=key)
    path.touch(mode=0o600)
    path.write_text(json.dumps(asdict(found)))
    return path


def running_servers(home: Path) -> list[Running]:
    """All that still run, the youngest first; files of others are removed."""
    found = []
    for path in (home / "servers").glob("*.json"):
        server = _read(path)
        if server is None or not _is_alive(server):
            with suppress(OSError):
                path.unlink()
            continue
        found.append(server)
    return sorted(found, key=lambda server: server.started, reverse=True)


def _read(path: Path) -> Running | None:
    try:
        return Running(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _is_alive(server: Running) -> bool:
    try:
        return abs(psutil.Process(server.pid).create_time() - server.started) < 1
    except psutil.Error:
        return False
