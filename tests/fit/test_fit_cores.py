"""Cores that a process may use, under quotas of control groups of either version."""

import os
from pathlib import Path

import psutil
import pytest

from gemma4.fit.cores import usable_cores


@pytest.fixture(autouse=True)
def _eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_count", lambda logical=True: 16 if logical else 8)
    monkeypatch.setattr(
        psutil.Process, "cpu_affinity", lambda _self: list(range(16)), raising=False
    )


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_without_a_quota_all_cores_are_used_and_no_hardware_thread(tmp_path: Path) -> None:
    assert usable_cores(tmp_path) == 8
    assert usable_cores(write(tmp_path, **{"sys/fs/cgroup/cpu.max": "max 100000\n"})) == 8


def test_the_affinity_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil.Process, "cpu_affinity", lambda _self: [0, 1, 2])
    assert usable_cores(tmp_path) == 3


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("50000 100000", 1),
        ("6400000 100000", 8),
        ("", 8),
        ("nonsense 0", 8),
    ],
)
def test_a_quota_is_rounded_up_to_cores(tmp_path: Path, text: str, cores: int) -> None:
    assert usable_cores(write(tmp_path, **{"sys/fs/cgroup/cpu.max": text})) == cores


@pytest.mark.parametrize("folder", ["cpu", "cpu,cpuacct"])
def test_version_1_has_two_files(tmp_path: Path, folder: str) -> None:
    base = f"sys/fs/cgroup/{folder}"
    files = {f"{base}/cpu.cfs_quota_us": "250000\n", f"{base}/cpu.cfs_period_us": "100000\n"}
    assert usable_cores(write(tmp_path, **files)) == 3
    assert usable_cores(write(tmp_path, **files | {f"{base}/cpu.cfs_quota_us": "-1\n"})) == 8


@pytest.mark.parametrize("limited", ["a.slice/job.scope", "a.slice"])
def test_the_groups_own_quota_and_those_above_it_count(tmp_path: Path, limited: str) -> None:
    files = {
        "proc/self/cgroup": "0::/a.slice/job.scope\n",
        "sys/fs/cgroup/a.slice/job.scope/cpu.max": "max 100000",
        "sys/fs/cgroup/a.slice/cpu.max": "600000 100000",
        "sys/fs/cgroup/other/cpu.max": "100000 100000",
    }
    assert usable_cores(write(tmp_path, **files)) == 6
    tighter = {f"sys/fs/cgroup/{limited}/cpu.max": "300000 100000"}
    assert usable_cores(write(tmp_path, **files | tighter)) == 3


def test_this_machine_has_a_core() -> None:
    assert 1 <= usable_cores() <= max(8, os.cpu_count() or 1)
