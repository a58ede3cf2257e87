"""What this machine has: memory that is free for one more process, and GPUs. Imports no torch."""

import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import psutil

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
        total_bytes: installed, or what a container may use at most.
        available_bytes: a new process can have now without pushing others out.
        limited_by: `memory`, or `container` where a cgroup sets the limit.
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
    limit = _read_container(root)
    if limit is None or limit[0] >= memory.total:
        return Machine(total_bytes=memory.total, available_bytes=memory.available)
    total, used = limit
    return Machine(
        total_bytes=total,
        available_bytes=min(memory.available, max(0, total - used)),
        limited_by="container",
    )


def _read_container(root: Path) -> tuple[int, int] | None:
    """Limit and use of the control group that this process is in; None without a limit."""
    base = root / "sys/fs/cgroup"
    for limit_name, used_name, statistics in (
        ("memory.max", "memory.current", "memory.stat"),  # version 2
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
    ):
        limit = _read_number(base / limit_name)
        if limit is None or limit >= _UNLIMITED:
            continue
        used = _read_number(base / used_name) or 0
        return limit, max(0, used - _read_cache(base / statistics))
    return None


def _read_number(path: Path) -> int | None:
    """A number in a file; None if there is no such file, or it says `max`."""
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdecimal() else None


def _read_cache(path: Path) -> int:
    """Bytes of the page cache that the system can drop, which count as used.

    Also what was read more than once: weights that lie in their file are among it after the first answer.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    values = dict(line.split(" ", 1) for line in lines if " " in line)
    for prefix in ("", "total_"):  # with children, where version 1 tells them apart
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
