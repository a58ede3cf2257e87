"""The machine's limits: installed memory, a container's, and GPUs."""

from pathlib import Path

import psutil
import pytest

from gemma4.fit.machine import Gpu, parse_gpus, read_machine

GIB = 2**30


def write(root: Path, name: str, text: str) -> None:
    path = root / "sys/fs/cgroup" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_without_a_container_the_installed_memory_counts(tmp_path: Path) -> None:
    machine = read_machine(tmp_path)
    assert machine.total_bytes == psutil.virtual_memory().total
    assert 0 < machine.available_bytes <= machine.total_bytes
    assert machine.limited_by == "memory"


@pytest.mark.parametrize(
    ("limit", "used", "statistics"),
    [
        (
            "memory.max",
            "memory.current",
            ("memory.stat", "anon 5\ninactive_file 786432\nactive_file 262144\n"),
        ),
        (
            "memory/memory.limit_in_bytes",
            "memory/memory.usage_in_bytes",
            (
                "memory/memory.stat",
                "inactive_file 5\ntotal_inactive_file 1048576\ntotal_active_file x\n",
            ),
        ),
    ],
    ids=["version 2", "version 1"],
)
def test_a_containers_limit_counts_and_its_droppable_cache_does_not(
    tmp_path: Path, limit: str, used: str, statistics: tuple[str, str]
) -> None:
    """Weights that are read where they lie are active cache: it can be dropped as well."""
    write(tmp_path, limit, f"{256 * 2**20}\n")
    write(tmp_path, used, f"{101 * 2**20}\n")
    write(tmp_path, *statistics)
    machine = read_machine(tmp_path)
    assert machine.total_bytes == 256 * 2**20
    assert machine.available_bytes == 156 * 2**20
    assert machine.limited_by == "container"


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", "garbage", f"{2**50}\n"])
def test_a_container_without_a_limit_below_the_machine_changes_nothing(
    tmp_path: Path, text: str
) -> None:
    write(tmp_path, "memory.max", text)
    assert read_machine(tmp_path).limited_by == "memory"


@pytest.mark.parametrize(
    ("listed", "folder", "limit", "used"),
    [
        ("0::/a.slice/job.scope", "", "memory.max", "memory.current"),
        (
            "3:cpu:/elsewhere\n4:memory:/a.slice/job.scope",
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
        ),
    ],
    ids=["version 2", "version 1"],
)
@pytest.mark.parametrize("tight", ["a.slice/job.scope", "a.slice", ""])
def test_the_smallest_limit_of_the_groups_own_and_those_above_it_counts(
    tmp_path: Path, listed: str, folder: str, limit: str, used: str, tight: str
) -> None:
    """Whichever of the three has it; a group that this process is not in has nothing to say."""
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(f"{listed}\n")
    for group in ("a.slice/job.scope", "a.slice", "", "elsewhere"):
        mib = {tight: 256, "elsewhere": 64}.get(group, 400)
        write(tmp_path, str(Path(folder, group, limit)), f"{mib * 2**20}\n")
        write(tmp_path, str(Path(folder, group, used)), f"{100 * 2**20}\n")
    machine = read_machine(tmp_path)
    assert machine.total_bytes == 256 * 2**20
    assert machine.available_bytes == 156 * 2**20
    assert machine.limited_by == "container"


def test_a_larger_limit_above_that_others_have_nearly_used_leaves_less_room(
    tmp_path: Path,
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/a.slice/job.scope\n")
    for group, limit, used in (("a.slice", 400, 390), ("a.slice/job.scope", 256, 100)):
        write(tmp_path, f"{group}/memory.max", f"{limit * 2**20}\n")
        write(tmp_path, f"{group}/memory.current", f"{used * 2**20}\n")
    machine = read_machine(tmp_path)
    assert machine.total_bytes == 256 * 2**20
    assert machine.available_bytes == 10 * 2**20


def test_the_drivers_lines_are_read() -> None:
    text = "NVIDIA H200, 143771, 143155\nOdd, name, 24576, 1024\nno memory here\n, [N/A], [N/A]\n"
    assert parse_gpus(text) == (
        Gpu(name="NVIDIA H200", total_bytes=143_771 * 2**20, free_bytes=143_155 * 2**20),
        Gpu(name="Odd, name", total_bytes=24 * GIB, free_bytes=GIB),
    )
