"""Files and directories that appear under their names only when they are complete."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from safetensors import SafetensorError

from ..errors import EnvironmentFault

_SPARE_BYTES = 64 << 20  # left free for everybody else


def require_space(folder: Path, needed: int) -> None:
    """Check that `needed` more bytes fit on the disk of a folder, which may not exist yet.

    Raises:
        EnvironmentFault: they do not; names both figures.
    """
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed + _SPARE_BYTES:
        raise EnvironmentFault(
            f"no space on the disk of {folder}: {needed:,} bytes are needed, {free:,} are free; "
            "free some or choose another place"
        )


@contextmanager
def new_files(paths: Sequence[Path]) -> Iterator[list[BinaryIO]]:
    """Open files that take their names, the last one last, when the block ends well.

    If it does not, nothing is left. Files of these names are replaced.

    Raises:
        EnvironmentFault: the disk is full or may not be written to.
    """
    partial: list[Path] = []
    try:
        with ExitStack() as stack:
            files: list[BinaryIO] = []
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
                descriptor, name = tempfile.mkstemp(
                    prefix=f".{path.name}.", suffix=".partial", dir=path.parent
                )
                partial.append(Path(name))
                files.append(stack.enter_context(os.fdopen(descriptor, "wb")))
            yield files
            for file in files:
                file.flush()
                os.fsync(file.fileno())
        for hidden, path in zip(partial, paths, strict=True):
            hidden.chmod(0o644)
            hidden.replace(path)
    except OSError as error:
        raise cannot_write(paths[-1], error) from error
    finally:
        for hidden in partial:
            hidden.unlink(missing_ok=True)


@contextmanager
def new_directory(directory: Path, *, replaces: bool = False) -> Iterator[Path]:
    """A directory that takes its name when the block ends well, and is gone if it does not.

    Args:
        replaces: a directory of this name gives way; otherwise it must be empty.

    Raises:
        EnvironmentFault: the disk is full or may not be written to.
    """
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise cannot_write(directory, error) from error
    try:
        yield partial
        partial.chmod(0o755)
        if replaces and directory.exists():
            _take_place(partial, directory)
        else:
            if directory.exists():
                directory.rmdir()
            partial.rename(directory)
    except (OSError, SafetensorError) as error:
        raise cannot_write(directory, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _take_place(partial: Path, directory: Path) -> None:
    """Exchange a directory for the new one; the old one goes when the new one is there."""
    old = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", suffix=".old", dir=directory.parent))
    old.rmdir()
    directory.rename(old)
    try:
        partial.rename(directory)
    except OSError:
        old.rename(directory)
        raise
    shutil.rmtree(old, ignore_errors=True)


def cannot_write(place: Path, error: Exception) -> EnvironmentFault:
    """The error for a disk that is full or may not be written to."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return EnvironmentFault(
        f"cannot write {place}: {reason}; free some space or choose another place"
    )


def flush(path: Path) -> None:
    """Wait until a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
