"""What `gemma4 bench` found: JSON values, and a table for people."""

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ...llm.benchmark import (
    Bandwidth,
    Benchmark,
    Measurement,
    Plan,
    bytes_of_pass,
    describe_machine,
    find_commit,
)
from ...llm.benchmark.matrices import bytes_by_encoding
from ..output import Output, align_columns, format_bytes

if TYPE_CHECKING:
    from ...llm.llm import LLM

_HEADER = (
    "TEST", "DEPTH", "STREAMS", "ROUNDS", "TOK/S", "FIRST TOKEN", "PASS", "READ", "OF WEIGHTS", "OF MEMORY"
)  # fmt: skip
_NONE = "-"


def describe(
    llm: "LLM", plan: Plan, benchmark: Benchmark, bandwidth: Bandwidth, *, profiles: bool
) -> dict[str, Any]:
    """The report as JSON values: seconds, bytes, bytes a second, shares of 1."""
    info, encodings = llm.info, bytes_by_encoding(benchmark.matrices)
    return {
        "gemma4": version("gemma4"),
        "commit": find_commit(),
        "machine": describe_machine(),
        "model": info.name,
        "family": info.family,
        "format": next(iter(encodings)),
        "device": info.device,
        "dtype": info.dtype,
        "kernels": info.kernels,
        "threads": info.threads,
        "kv_dtype": info.kv_dtype,
        "context": info.context,
        "kv_tokens": info.kv_tokens,
        "load_seconds": info.load_seconds,
        "rounds": plan.rounds,
        "rounds_not_counted": 1,
        "bandwidth": {
            "memory": bandwidth.memory,
            "weights": bandwidth.weights,
            "weights_measured_bytes": bandwidth.measured_bytes,
        },
        "step_bytes": bytes_of_pass(benchmark.matrices, 1),
        "step_bytes_by_format": encodings,
        "peak_private_bytes": benchmark.memory.num_bytes,
        "measurements": [_describe(one, bandwidth, profiles) for one in benchmark.measured],
    }


def _describe(one: Measurement, bandwidth: Bandwidth, profiles: bool) -> dict[str, Any]:
    return {
        "test": str(one.kind),
        "tokens": one.tokens,
        "depth": one.depth,
        "concurrency": one.streams,
        "rounds": len(one.rounds),
        "tokens_per_second": one.tokens_per_second,
        "samples": list(one.speeds),
        "first_token_seconds": one.first_token_seconds,
        "pass_seconds": one.pass_seconds,
        "pass_in_steps": one.pass_in_steps,
        "pass_bytes": one.pass_bytes,
        "weights_per_second": one.weights_per_second,
        "bandwidth_use": one.bandwidth_use(bandwidth),
    } | ({"pass_profile_seconds": one.profile} if profiles else {})


def print_report(out: Output, report: dict[str, Any]) -> None:
    """Print it for people, or as JSON."""
    if out.as_json:
        out.data(report)
        return
    for line in _head(report):
        out.result(line)
    out.result("")
    out.table(_HEADER, [_row(one) for one in report["measurements"]])
    for one in report["measurements"]:
        _print_profile(out, one)


def _head(report: dict[str, Any]) -> list[str]:
    machine, bandwidth = report["machine"], report["bandwidth"]
    commit = f", commit {report['commit']}" if report["commit"] else ""
    reads = f"any memory {_rate(bandwidth['memory'])}, these weights {_rate(bandwidth['weights'])}"
    peak = report["peak_private_bytes"]
    formats = ", ".join(
        f"{name} {format_bytes(size)}" for name, size in report["step_bytes_by_format"].items()
    )
    rows = [
        ("model", f"{report['model']} ({report['family']})"),
        ("weights", f"{format_bytes(report['step_bytes'])} read for a token: {formats}"),
        ("computing", f"{report['kernels']}, {report['threads']} threads, {report['dtype']} on "
                      f"{report['device']}"),
        ("room", f"{report['context']} tokens of one stream, {report['kv_tokens']} of all; keys and values "
                 f"{report['kv_dtype']}"),
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, {format_bytes(machine['memory_bytes'])}, "
                    f"{machine['system']}"),
        ("reading", reads),
        ("private", f"{format_bytes(peak)} at most" if peak is not None else "not known on this system"),
        ("rounds", f"{report['rounds']}, medians; one more before them is not counted"),
        ("gemma4", f"{report['gemma4']}{commit}, torch {machine['torch']}"),
    ]  # fmt: skip
    return align_columns(rows)


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    first, use = one["first_token_seconds"], one["bandwidth_use"]
    ratio = one["pass_in_steps"]
    steps = "" if ratio is None else f" = {ratio:.2f} steps"
    return (
        f"{one['test']} {one['tokens']}",
        str(one["depth"]),
        str(one["concurrency"]),
        str(one["rounds"]),
        f"{one['tokens_per_second']:.1f}",
        _NONE if first is None else f"{first:.3f} s",
        f"{one['pass_seconds'] * 1000:.1f} ms{steps}",
        _rate(one["weights_per_second"]),
        _share(use["weights"]),
        _share(use["memory"]),
    )


def _print_profile(out: Output, one: dict[str, Any]) -> None:
    profile = one.get("pass_profile_seconds")
    if not profile:
        return
    out.result("")
    out.result(
        f"a pass of {one['test']} {one['tokens']}, depth {one['depth']}, {one['concurrency']} at once"
    )
    whole = sum(profile.values())
    for line in align_columns(
        [
            (f"  {name}", f"{part * 1000:.2f} ms", _share(part / whole))
            for name, part in profile.items()
        ]
    ):
        out.result(line)


def _rate(value: float | None) -> str:
    return _NONE if value is None else f"{value / 1e9:.1f} GB/s"


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{value:.0%}"
