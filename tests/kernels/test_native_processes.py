"""The kernels' threads and the processes they live in."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")


def lines_of(script: str) -> list[str]:
    path = Path(__file__).with_name(script)
    words = [sys.executable, str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_forked_process_is_told_to_load_its_own() -> None:
    """It waits for no thread that stayed behind, also when it ends; a pool of its own works."""
    told = re.compile(
        r"the threads of the native kernels belong to process (\d+), which process (\d+) was forked "
        r"from; load the model in the process that uses it, or start that process by spawn .+"
    )
    lines = lines_of("forked_program.py")
    assert len(lines) == 2  # run, take_seconds
    for line in lines:
        match = told.fullmatch(line)
        assert match, line
        assert match[1] != match[2]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no limit of addresses holds")
def test_threads_that_do_not_start_are_the_machines_fault() -> None:
    (line,) = lines_of("crowded_pool.py")
    assert re.fullmatch(
        r"400 threads were to compute and the system has only \d+ for them \(.+\); ask for fewer .+",
        line,
    )
