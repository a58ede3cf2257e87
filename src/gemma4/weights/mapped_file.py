"""A file as bytes in memory that are read from disk when they are touched."""

import mmap
import os
import sys
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, EnvironmentFault, ModelNotFoundError
from ..quant import Bytes

# Linux's MAP_NORESERVE, which Python's mmap names from 3.13 on.
_LINUX_NORESERVE = 0x4000


def map_file(path: Path) -> Bytes:
    """Map the whole file: uint8 [size], which lives as long as any view of it.

    The map is private: writing to it changes memory, never the file. It reserves no memory, so a
    file may be larger than the machine's memory; an ordinary private map is refused then.

    Raises:
        ModelNotFoundError: there is no such file.
        CheckpointError: it is empty or no regular file.
        EnvironmentFault: it may not be read, or cannot be mapped.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise CheckpointError(f"{path} is empty (0 bytes); download it again")
            return np.frombuffer(_map(file.fileno()), dtype=np.uint8)
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"no file {path}; check the path") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path} is a directory, not a weight file; give a file") from error
    except OSError as error:
        raise EnvironmentFault(
            f"cannot map {path}: {error.strerror}; check it is readable"
        ) from error


def _map(descriptor: int) -> mmap.mmap:
    if sys.platform == "win32":
        return mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY)
    flags = mmap.MAP_PRIVATE | (_LINUX_NORESERVE if sys.platform == "linux" else 0)
    return mmap.mmap(descriptor, 0, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)


def expect_scattered_reads(data: Bytes) -> None:
    """Tell the system that a few rows of this stretch of a mapped file will be read at a time.

    Without it each touch may read megabytes around the row, in the end the whole table.
    """
    if sys.platform != "win32":
        _advise(data, mmap.MADV_RANDOM)


def expect_whole_read(data: Bytes) -> None:
    """Tell the system that this stretch of a mapped file will be read from end to end."""
    if sys.platform != "win32":
        _advise(data, mmap.MADV_NORMAL)


def drop_pages(data: Bytes) -> None:
    """Tell the system that the whole pages in this stretch of a mapped file are not needed any more.

    They leave this process's memory, not the system's cache, and are read again when they are touched.
    What was written to them is lost, so nobody may hold a view that they might write to.
    """
    if sys.platform == "win32":
        return
    root, file_map = _map_of(data)
    if file_map is None:
        return
    start = data.ctypes.data - root.ctypes.data
    first, last = -(-start // mmap.PAGESIZE), (start + data.size) // mmap.PAGESIZE
    if last > first:
        length = (last - first) * mmap.PAGESIZE
        file_map.madvise(mmap.MADV_DONTNEED, first * mmap.PAGESIZE, length)


def _advise(data: Bytes, advice: int) -> None:
    """Give advice on whole pages around `data`, a view of what `map_file` returned."""
    root, file_map = _map_of(data)
    if not data.size or file_map is None:
        return
    start = data.ctypes.data - root.ctypes.data
    page_start = start // mmap.PAGESIZE * mmap.PAGESIZE
    file_map.madvise(advice, page_start, start + data.size - page_start)


def _map_of(data: Bytes) -> tuple[Bytes, mmap.mmap | None]:
    """The whole file that `data` is a view of, and its map; None if it is in ordinary memory."""
    root: Bytes = data.base if isinstance(data.base, np.ndarray) else data
    file_map = getattr(root.base, "obj", None)  # numpy holds the map by a memoryview
    return root, file_map if isinstance(file_map, mmap.mmap) else None
