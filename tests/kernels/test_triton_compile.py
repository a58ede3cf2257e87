"""The kernels compile for a GPU, in bfloat16 and with the launches' own options, and fit on it.

The interpreter proves the arithmetic; this proves that Triton's compiler and NVIDIA's assembler take it.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import gemma4

SCRIPT = Path(__file__).parents[1] / "support" / "triton_compile.py"
KERNELS = Path(gemma4.__file__).parent / "kernels" / "cuda"
SHARED_LIMIT = 227 * 1024  # bytes a program may have at capability 9.0
NO_TENSOR_CORES = ("norm", "gate", "rope", "join", "route", "plan", "expand")


def test_every_kernel_compiles_for_hopper_without_spilling(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "TRITON_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(SCRIPT.parent),
    }
    del environment["TRITON_INTERPRET"]
    done = subprocess.run(
        [sys.executable, SCRIPT, "90"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    written = {
        name
        for path in KERNELS.glob("*.py")
        for name in re.findall(r"@triton\.jit\ndef (\w+_kernel)\(", path.read_text())
    }
    assert {row["kernel"] for row in rows} == written
    for row in rows:
        assert row["shared"] <= SHARED_LIMIT, row
        assert row["stack"] <= 16, row  # registers that did not fit go there
        plain = any(part in row["kernel"] for part in NO_TENSOR_CORES)
        assert row["tensor_cores"] != plain, row
