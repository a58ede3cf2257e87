"""What the measurements ran on, and how fast it reads memory."""

import os
import platform
import re
import time
from importlib.metadata import version

import torch

from gemma4.fit.machine import read_memory
from gemma4.llm.benchmark.machine import cpu_instructions, cpu_name, find_commit

BUFFER = 1 << 31  # bytes: far beyond any cache


def describe_machine(threads: int) -> dict[str, object]:
    """Processor, instructions, memory, versions, commit, load: the head of every table."""
    return {
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "instructions": cpu_instructions(),
        "memory_gib": round(read_memory().total_bytes / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "commit": find_commit(paths=("src", "native", "bench", ":!bench/results")),
        "threads": threads,
        "load_average_before": round(os.getloadavg()[0], 2),
        "read_bandwidth_gb_s": round(read_bandwidth(threads) / 1e9, 1),
    }


def read_bandwidth(threads: int, rounds: int = 7) -> float:
    """Bytes a second of the quickest of several sums over a large buffer."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    numbers = torch.ones(BUFFER // 4, dtype=torch.float32)
    best = float("inf")
    for _ in range(rounds):
        started = time.perf_counter()
        numbers.sum()
        best = min(best, time.perf_counter() - started)
    torch.set_num_threads(before)
    return BUFFER / best


def short_name() -> str:
    """A name for files: `amd-epyc-2-cores`."""
    words = re.sub(r"[^a-z0-9]+", "-", cpu_name().lower()).strip("-")
    return f"{words}-{os.cpu_count()}-cores"
