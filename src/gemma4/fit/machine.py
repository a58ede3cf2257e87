"""What this machine has: memory that is free for one more process, and GPUs. Imports no torch."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

from .control_groups import FOLDER, group_paths, read_lines

_UNLIMITED: Final = 2**60  # cgroup v1 writes a number near 2^63 for "no limit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gpu:
    """A graphics processor and its memory in bytes."""

    name: str
    total_bytes: int
    free_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Memory in bytes.

    Attributes:
        total_bytes: installed, or the least that a control group may use at most.
        available_bytes: a new process can have now without pushing others out.
        limited_by: `memory`, or `container` where a control group sets the limit: the process's own or
            one above it.
    """

    total_bytes: int
    available_bytes: int
    limited_by: str = "memory"
    gpus: tuple[Gpu, ...] = ()


def read_machine(root: Path = Path("/")) -> Machine:
    """Look at this machine. `root` is where /sys and /proc are, for tests."""
    return replace(read_memory(root), gpus=read_gpus())


def read_memory(root: Path = Path("/")) -> Machine:
    """Look at this machine, but ask for no GPUs."""
    memory = psutil.virtual_memory()
    limits = [limit for limit in _limits(root) if limit[0] < memory.total]
    if not limits:
        return Machine(total_bytes=memory.total, available_bytes=memory.available)
    # A group above may have a larger limit and less room: others use it too.
    room = min(max(0, total - used) for total, used in limits)
    return Machine(
        total_bytes=min(total for total, _ in limits),
        available_bytes=min(memory.available, room),
        limited_by="container",
    )


def _limits(root: Path) -> Iterator[tuple[int, int]]:
    """Limit and use of each control group that limits this process: its own and those above it."""
    base = root / FOLDER
    for group in group_paths(root, "memory"):
        for folder, limit_name, used_name in (
            (base / group, "memory.max", "memory.current"),  # version 2
            (base / "memory" / group, "memory.limit_in_bytes", "memory.usage_in_bytes"),
        ):
            limit = _read_number(folder / limit_name)
            if limit is not None and limit < _UNLIMITED:
                used = _read_number(folder / used_name) or 0
                yield limit, max(0, used - _read_cache(folder / "memory.stat"))


def _read_number(path: Path) -> int | None:
    """A number in a file; None if there is no such file, or it says `max`."""
    text = "".join(read_lines(path)).strip()
    return int(text) if text.isdecimal() else None


def _read_cache(path: Path) -> int:
    """Bytes of the page cache that the system can drop, which count as used.

    Also what was read more than once: weights that lie in their file are among it after the first answer.
    """
    values = dict(line.split(" ", 1) for line in read_lines(path) if " " in line)
    for prefix in ("total_", ""):  # version 1 has its own beside those with children, as its use is
        found = [values.get(f"{prefix}{kind}_file", "") for kind in ("inactive", "active")]
        if found[0].isdecimal():
            return sum(int(number) for number in found if number.isdecimal())
    return 0


def read_gpus() -> tuple[Gpu, ...]:
    """Ask the NVIDIA driver's own tool; no GPU without it, or if it fails or hangs."""
    query = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,memory.free",
        "--format=csv,noheader,nounits",
    ]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_gpus(done.stdout) if done.returncode == 0 else ()


def parse_gpus(text: str) -> tuple[Gpu, ...]:
    """Read nvidia-smi's lines `name, total MiB, free MiB`; others are passed over."""
    gpus = []
    for line in text.splitlines():
        parts = [part.strip() for part in line.rsplit(",", 2)]
        if len(parts) == 3 and parts[1].isdecimal() and parts[2].isdecimal():
            total, free = (int(part) * 2**20 for part in parts[1:])
            gpus.append(Gpu(name=parts[0], total_bytes=total, free_bytes=free))
    return tuple(gpus)
