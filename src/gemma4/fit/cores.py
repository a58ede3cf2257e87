"""How many threads compute at once here: cores, less where a container's quota is smaller. No torch."""

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

import psutil

_V1_FOLDERS: Final = ("cpu", "cpu,cpuacct")


def usable_cores(root: Path = Path("/")) -> int:
    """Cores that this process may use; `root` is where /sys and /proc are, for tests.

    Cores, not hardware threads: two of one core would share the units that multiply. And not more than a
    control group's quota pays for: with more threads all are stopped together in each period.
    """
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count() or 1
    if hasattr(psutil.Process, "cpu_affinity"):  # not on macOS
        cores = min(cores, len(psutil.Process().cpu_affinity()))
    return min([cores, *_quotas(root)])


def _quotas(root: Path) -> Iterator[int]:
    """Cores, rounded up, of each quota that this process is under: its group's and those above it."""
    base = root / "sys/fs/cgroup"
    for group in _groups(root):
        yield from _cores(_words(base / group / "cpu.max"))  # version 2
        for folder in _V1_FOLDERS:
            path = base / folder / group
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            yield from _cores([word for name in names for word in _words(path / name)])


def _groups(root: Path) -> list[PurePosixPath]:
    """Control groups of this process and all above them, relative to the topmost.

    A container that sees its own group as the topmost has no folder for the others.
    """
    found = {PurePosixPath()}
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers or "cpu" in controllers.split(","):
            group = PurePosixPath(path.lstrip("/"))
            found |= {group, *group.parents}
    return [group for group in found if ".." not in group.parts]


def _cores(quota: list[str]) -> Iterator[int]:
    """Of `quota period` in microseconds; none where the quota is `max` or −1."""
    if len(quota) == 2 and all(word.isdecimal() and int(word) for word in quota):
        yield math.ceil(int(quota[0]) / int(quota[1]))


def _words(path: Path) -> list[str]:
    return [word for line in _lines(path) for word in line.split()]


def _lines(path: Path) -> list[str]:
    """None if there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
