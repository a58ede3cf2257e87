"""Check and measure the GPU kernels, all in one call of less than ten minutes on one GPU.

    python bench/gpu.py --output rows.json          everything
    python bench/gpu.py --only checks,31b           some parts
    python bench/gpu.py --rehearse                  tiny, on a CPU, through Triton's interpreter: no figures

Every part runs in a process of its own with a limit on its time: a kernel that fails, hangs or spoils the
device costs its part and is reported. The parts:

    memory      what the device can read and copy
    checks      every kernel against its readable counterpart, in bfloat16, at true widths
    shapes      the products of 31B under other tunings than the default
    engine      requests through the engine: first token, and tokens a second, one and eight streams
    31b …       decode with one and eight streams, prefill of 512 and 8,192 tokens, in bf16 and 4 bits

Weights are random and made on the device. "% of limit" is what a step must read (weights once, keys and
values of each stream), over the bandwidth that part `memory` measured, over the time it took. The last
line is JSON. Exit code 1 if a part failed or a check is out of bounds.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
MODELS = ("31b", "26b-a4b", "12b", "e4b", "e2b")
LIMITS = {"memory": 60, "checks": 150, "engine": 80, "shapes": 60}
MODEL_LIMIT = 100
LEAST = 15  # seconds below which no part is begun
Row = dict[str, object]


def main() -> int:
    options = read_options()
    started = time.monotonic()
    rows: list[Row] = []
    for part in options.only.split(","):
        left = options.minutes * 60 - (time.monotonic() - started)
        limit = min(LIMITS.get(part, MODEL_LIMIT), left)
        if limit < LEAST:
            rows.append({"part": part, "failure": "not run: no time left"})
        else:
            rows += run_part(part, limit, bandwidth_of(rows), options.rehearse)
    print(table(rows))
    if options.output:
        options.output.write_text("".join(json.dumps(row) + "\n" for row in rows))
    print(json.dumps({"seconds": round(time.monotonic() - started, 1), "rows": rows}))
    return int(any("failure" in row for row in rows))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default=",".join((*LIMITS, *MODELS)), help="parts, by commas")
    parser.add_argument("--minutes", type=float, default=9.5)
    parser.add_argument("--output", type=Path, help="also write JSON rows here")
    parser.add_argument("--rehearse", action="store_true")
    return parser.parse_args()


def run_part(part: str, limit: float, bandwidth: float, rehearse: bool) -> list[Row]:
    """Rows of a part; a row with `failure` if it did not get through."""
    print(f"{part} … (at most {limit:.0f} s)", file=sys.stderr)
    command = [sys.executable, str(HERE / "gpu_parts.py"), part, str(bandwidth), str(int(rehearse))]
    environment = {**os.environ, **({"TRITON_INTERPRET": "1"} if rehearse else {})}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            output, errors = process.communicate(timeout=limit)
            failure = f"exit code {process.returncode}" if process.returncode else ""
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            failure = f"stopped after {limit:.0f} s"
    rows = [{"part": part, **json.loads(line)} for line in output.splitlines() if line[:1] == "{"]
    if failure:
        last = [line for line in errors.splitlines() if line.strip()][-1:]
        rows.append({"part": part, "failure": ": ".join([failure, *last])})
        print(errors[-3000:], file=sys.stderr)
    return rows


def bandwidth_of(rows: list[Row]) -> float:
    """Bytes a second that the device can read, 0 while nobody has measured it."""
    found = [float(str(row["bytes_per_second"])) for row in rows if "bytes_per_second" in row]
    return max(found, default=0.0)


def table(rows: list[Row]) -> str:
    """All rows for people: a line each, failures in capitals."""
    lines = []
    for row in rows:
        if "failure" in row:
            lines.append(f"{row['part']:8} FAILED  {row['failure']}")
            continue
        cells = [f"{key} {_cell(value)}" for key, value in row.items() if key != "part"]
        lines.append(f"{row['part']:8} " + "  ".join(cells))
    return "\n".join(lines)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
