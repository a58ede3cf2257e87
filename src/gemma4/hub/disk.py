"""Room on the disk: asked for before a download, and explained when it runs out."""

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import EnvironmentFault

SPARE_BYTES = 64 << 20
"""Left free on top of what a download needs, for manifests and for everybody else."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk that holds a folder, or that will hold it once it is made."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def require_space(folder: Path, needed: int) -> None:
    """Check that `needed` more bytes fit.

    Raises:
        EnvironmentFault: they do not; names both figures.
    """
    free = free_bytes(folder)
    if free < needed + SPARE_BYTES:
        raise _full(folder, needed=needed, free=free)


@contextmanager
def explaining_full_disk(folder: Path, *, needed: int) -> Iterator[None]:
    """Turn the system's "no space left" into our error. What was written stays, to be resumed.

    Raises:
        EnvironmentFault: the disk, or the user's quota, is full.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full(folder, needed=needed, free=free_bytes(folder)) from error


def _full(folder: Path, *, needed: int, free: int) -> EnvironmentFault:
    return EnvironmentFault(
        f"no space left on the disk of {folder}: {needed:,} bytes are still needed, {free:,} are "
        "free; free some (`gemma4 ls`, `gemma4 rm`) or set GEMMA4_HOME to a larger disk, then pull "
        "again: what was fetched is kept"
    )
