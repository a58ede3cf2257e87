"""The control groups that this process is in: where their limits are written. Knows no kind of limit.

A limit of a group holds for all groups below it, so the process's own and all above it count. Version 2 has
one tree of folders under /sys/fs/cgroup, version 1 a tree for each kind of limit.
"""

from pathlib import Path, PurePosixPath
from typing import Final

FOLDER: Final = "sys/fs/cgroup"
"""Where control groups are, below the root."""


def group_paths(root: Path, controller: str) -> list[PurePosixPath]:
    """This process's groups for `cpu` or `memory` and all above them, relative to the topmost.

    A container that sees its own group as the topmost has no folder for the others.

    Args:
        root: where /sys and /proc are.
    """
    found = {PurePosixPath()}
    for line in read_lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers or controller in controllers.split(","):
            group = PurePosixPath(path.lstrip("/"))
            found |= {group, *group.parents}
    return sorted(group for group in found if ".." not in group.parts)


def read_lines(path: Path) -> list[str]:
    """Lines of a file; none if there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:
        return []
