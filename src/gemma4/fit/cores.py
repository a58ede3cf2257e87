"""How many threads compute at once here: cores, less where a container's quota is smaller. No torch."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil

from .control_groups import FOLDER, group_paths, read_lines

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
    base = root / FOLDER
    for group in group_paths(root, "cpu"):
        yield from _cores(_words(base / group / "cpu.max"))  # version 2
        for folder in _V1_FOLDERS:
            path = base / folder / group
            names = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
            yield from _cores([word for name in names for word in _words(path / name)])


def _cores(quota: list[str]) -> Iterator[int]:
    """Of `quota period` in microseconds; none where the quota is `max` or −1."""
    if len(quota) == 2 and all(word.isdecimal() and int(word) for word in quota):
        yield math.ceil(int(quota[0]) / int(quota[1]))


def _words(path: Path) -> list[str]:
    return [word for line in read_lines(path) for word in line.split()]
