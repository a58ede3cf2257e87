"""What measurements ran on: the processor, memory, versions, and the commit of a source tree."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from ...fit.machine import read_memory

TELLING_FLAGS = (
    "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm",
)  # fmt: skip


def cpu_name() -> str:
    """The processor's own name."""
    for line in _lines("/proc/cpuinfo"):
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cpu_instructions() -> str:
    """Of the instructions that fast kernels use, those that the processor has; "" if it does not say."""
    heads = ("flags", "Features")
    flags = next((line for line in _lines("/proc/cpuinfo") if line.startswith(heads)), "").split()
    return " ".join(flag for flag in TELLING_FLAGS if flag in flags)


def describe_machine() -> dict[str, object]:
    """Processor, cores, instructions, memory in bytes, system, Python and torch."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "instructions": cpu_instructions(),
        "memory_bytes": read_memory().total_bytes,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def find_commit(
    root: Path = Path(__file__).parents[4], paths: tuple[str, ...] = ("src", "native")
) -> str | None:
    """The commit of the source tree that this package runs from; says so if files differ from it.

    None for an installed package, and where git does not answer.

    Args:
        paths: whose changes count.
    """
    if not (root / ".git").exists() or not (root / "src" / "gemma4").is_dir():
        return None
    head = _git(root, "rev-parse", "--short=12", "HEAD")
    changed = _git(root, "status", "--porcelain", "--", *paths)
    return head and head + (" with changes" if changed else "")


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(errors="replace").splitlines() if file.exists() else []
