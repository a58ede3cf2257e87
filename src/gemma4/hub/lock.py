"""One process at a time per model, across processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from ..errors import LockedError


@contextmanager
def hold_lock(path: Path, *, what: str, wait_seconds: float) -> Iterator[None]:
    """Hold a lock file. The system lets it go when the process ends, however it ends.

    Raises:
        LockedError: another process holds it for longer than `wait_seconds`; names its process id.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Whoever waits for the lock file empties it, so the owner's id has a file of its own.
    owner = path.with_suffix(".pid")
    try:
        with FileLock(path, timeout=wait_seconds):
            owner.write_text(str(os.getpid()), encoding="ascii")
            yield
    except Timeout as error:
        raise LockedError(
            f"{what} is in use by process {_read_owner(owner)}; waited {wait_seconds:g} s; "
            "wait for it or stop it, then try again: what it has fetched is kept"
        ) from error


def _read_owner(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return "(unknown)"  # it has the lock but has not written its id yet
