"""A server of ours beside an agent: started where none runs, ended with the agent."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from ...errors import EnvironmentFault, InputError
from .target import is_there

START_SECONDS = 600.0
_POLL_SECONDS = 0.2
_STOP_SECONDS = 15.0
_OURS = ("127.0.0.1", "localhost", "::1")


def serve_command(url: str, model: str) -> list[str]:
    """What starts a server at an address of this machine.

    Raises:
        InputError: the address is another machine's.
    """
    parts = urlsplit(url)
    if parts.hostname not in _OURS or parts.scheme != "http":
        raise InputError(f"no server answers at {url}, and none can be started there; check --url")
    command = [sys.executable, "-m", "gemma4", "serve", model]
    return [*command, "--host", parts.hostname, "--port", str(parts.port or 80)]


@contextmanager
def running(
    command: Sequence[str], url: str, log: Path, environ: Mapping[str, str]
) -> Iterator[None]:
    """A server while the context lasts; what it says goes to a file.

    Raises:
        EnvironmentFault: it ended, or does not answer within `START_SECONDS`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,  # Ctrl-C is for the agent
        )
    try:
        _wait(process, url, log)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not is_there(url):
        if process.poll() is not None:
            said = log.read_text(errors="replace").strip().splitlines() or ["nothing"]
            raise EnvironmentFault(
                f"the server ended with {process.returncode} and said: {said[-1]}; all of it: {log}"
            )
        if time.monotonic() > end:
            raise EnvironmentFault(f"the server does not answer at {url}; see {log}")
        time.sleep(_POLL_SECONDS)
