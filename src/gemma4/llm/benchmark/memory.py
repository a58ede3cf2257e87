"""The most private memory that this process had: what mapped files cannot give back."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

INTERVAL = 0.01
"""Seconds between two looks."""


def private_bytes(root: Path = Path("/")) -> int | None:
    """Anonymous memory of this process; None where the system does not tell (it is Linux that does)."""
    try:
        lines = (root / "proc/self/status").read_text().splitlines()
    except OSError:
        return None
    sizes = [line.split()[1] for line in lines if line.startswith("RssAnon:")]
    return int(sizes[0]) * 1024 if sizes else None


class PeakMemory:
    """Remembers the most that it saw.

    Args:
        read: bytes now, or None where that is not known.
    """

    def __init__(self, read: Callable[[], int | None] = private_bytes) -> None:
        self.num_bytes: int | None = None
        self._read = read

    def look(self) -> None:
        """Look once."""
        now = self._read()
        if now is not None:
            self.num_bytes = max(now, self.num_bytes or 0)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look a hundred times a second meanwhile, from another thread: not where time is measured."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(INTERVAL):
                self.look()

        thread = threading.Thread(target=watch, name="peak memory", daemon=True)
        self.look()
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            self.look()
