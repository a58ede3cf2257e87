"""`gemma4 doctor`."""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_hub import run_hub
from run_cli import Run
from stored_models import store_model

from gemma4.cli import checks
from gemma4.hub.store import Store
from gemma4.kernels.native import REBUILD, Native


def findings(run: Run, *words: str, **environ: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for check in json.loads(run("doctor", "--json", *words, **environ).out)["checks"]:
        found.setdefault(check["name"], []).append(check)
    return found


def test_every_finding_has_a_line_and_every_problem_a_remedy(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"w"})
    outcome = run("doctor")
    assert outcome.code == 0
    names = {line.split()[1] for line in outcome.out.splitlines() if not line.startswith(" ")}
    expected = {"python", "torch", "cpu", "gpu", "memory", "media", "peers", "disk", "store"}
    assert names == expected | {"kernels"}
    report = json.loads(run("doctor", "--json").out)
    assert report["ok"] is True
    for check in report["checks"]:
        assert check["status"] in ("ok", "warn")
        assert (check["remedy"] is None) == (check["status"] == "ok"), check


def test_an_empty_store_is_a_warning(run: Run) -> None:
    (check,) = findings(run)["store"]
    assert check["status"] == "warn"
    assert check["remedy"] == "run `gemma4 pull gemma3:270m`"
    assert "store" in run("doctor", "-q").out
    assert "python" not in run("doctor", "-q").out


def test_only_a_deep_check_reads_the_files(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"weights"})
    (Store(home).folder("e2b") / "model.safetensors").write_bytes(b"WEIGHTS")
    assert findings(run)["store"][0]["status"] == "ok"
    outcome = run("doctor", "--deep")
    assert outcome.code == 1
    assert "fail   store      e2b: " in outcome.out
    assert "has SHA-256" in outcome.out
    assert "→ run `gemma4 rm e2b` and `gemma4 pull e2b`" in outcome.out


def test_a_missing_file_and_a_half_done_download_are_found(run: Run, home: Path) -> None:
    store_model(home, "e2b", {"model.safetensors": b"weights"})
    (Store(home).folder("e2b") / "model.safetensors").unlink()
    draft = Store(home).partial("e4b")
    draft.mkdir(parents=True)
    (draft / "x.part").write_bytes(bytes(1500))
    missing, half = findings(run)["store"]
    assert missing["status"] == "fail"
    assert "is missing" in missing["detail"]
    assert half["status"] == "warn"
    assert half["detail"] == "e4b: 1.5 kB of an unfinished download"


def test_little_room_is_a_warning(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=5_000_000_000))
    (check,) = findings(run)["disk"]
    assert check["status"] == "warn"
    assert check["detail"].startswith("5 GB free at ")
    assert "GEMMA4_HOME" in check["remedy"]


def test_a_library_that_cannot_be_imported_is_a_failure(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    outcome = run("doctor")
    assert outcome.code == 1
    assert "fail   torch" in outcome.out
    assert "pip install torch==" in outcome.out
    assert "fail   media" in outcome.out


def test_another_torch_than_tested_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "requires", lambda _name: ["torch==9.9.9", "numpy>=2"])
    check = checks.check_torch()
    assert check.status == "warn"
    assert "tested with 9.9.9" in check.detail


@dataclass(frozen=True)
class Built:
    """A compiled module that says what this processor runs."""

    kernels: tuple[str, ...]

    def supported_kernels(self) -> tuple[str, ...]:
        return self.kernels


@pytest.mark.parametrize(
    ("kernels", "status", "detail"),
    [
        (("avx512-vnni", "avx2", "portable"), "ok", " (also here: avx2, portable)"),
        (("portable",), "warn", ""),
    ],
)
def test_the_kernels_chosen_are_named_with_their_threads(
    monkeypatch: pytest.MonkeyPatch, kernels: tuple[str, ...], status: str, detail: str
) -> None:
    built = Native(module=Built(kernels), kernels=kernels[0], num_threads=3)
    monkeypatch.setattr("gemma4.kernels.native.find_native", lambda: built)
    check = checks.check_kernels()
    assert (check.status, check.detail) == (status, f"{kernels[0]}, 3 threads{detail}")
    assert ("without vector instructions" in (check.remedy or "")) == (status == "warn")


def test_missing_kernels_are_a_warning_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gemma4.kernels._native", None)
    check = checks.check_kernels()
    assert check.status == "warn"
    assert check.detail.startswith(
        "the native kernels were not built (import of gemma4.kernels._nat"
    )
    assert check.detail.endswith("): torch computes, which is slower")
    assert check.remedy == REBUILD


def test_the_network_is_asked_only_when_told_to(run: Run) -> None:
    assert "network" not in findings(run)
    (closed,) = findings(run, "--network", HF_ENDPOINT="http://127.0.0.1:9")["network"]
    assert closed["status"] == "warn"
    assert "cannot be reached" in closed["detail"]
    (offline,) = findings(run, "--network", GEMMA4_OFFLINE="1")["network"]
    assert offline["detail"] == "not asked: offline"
    with run_hub() as hub:
        (answered,) = findings(run, "--network", HF_ENDPOINT=hub.endpoint)["network"]
    assert answered["status"] == "ok"
