"""What a quantization did: formats, sizes, bits, and how far the answers moved."""

from collections.abc import Sequence
from typing import Any

from ..output import Output as Streams
from ..output import align_columns, format_bytes
from .comparison import Comparison
from .job import Job, Target


def describe(job: Job, source: str, recipe: str, comparison: Comparison | None) -> dict[str, Any]:
    """The report as JSON values."""
    return {
        "source": source,
        "format": recipe,
        "outputs": [
            {
                "path": str(output.path),
                "size_bytes": output.nbytes,
                "formats": _shares(output.targets),
            }
            for output in job.outputs
        ],
        "bits_per_weight": round(job.bits_per_weight, 4),
        "notes": list(job.notes),
        "comparison": None if comparison is None else _compared(comparison),
    }


def print_report(out: Streams, report: dict[str, Any], *, dry_run: bool) -> None:
    """Print it for people, or as JSON."""
    if out.as_json:
        out.data(report)
        return
    for output in report["outputs"]:
        out.result(f"{output['path']}   {format_bytes(output['size_bytes'])}")
        rows = [
            (
                f"  {name}",
                f"{share['tensors']} tensors",
                f"{share['values']:,} values",
                format_bytes(share["bytes"]),
            )
            for name, share in output["formats"].items()
        ]
        for line in align_columns(rows):
            out.result(line)
    out.result(f"{report['bits_per_weight']:.2f} bits per weight")
    for note in report["notes"]:
        out.note(f"note: {note}")
    if report["comparison"] is not None:
        found = report["comparison"]
        out.result(
            f"against the source, {found['tokens']} tokens ({found['text']}), {found['dtype']}: "
            f"mean KL {found['kl_mean']:.2e} nats, largest {found['kl_max']:.2e}, "
            f"top-1 {found['top1']:.1%}"
        )
    if dry_run:
        out.result("nothing was written")


def _shares(targets: Sequence[Target]) -> dict[str, dict[str, int]]:
    """Format → tensors, values and bytes; the largest first."""
    shares: dict[str, dict[str, int]] = {}
    for target in targets:
        share = shares.setdefault(target.format, {"tensors": 0, "values": 0, "bytes": 0})
        share["tensors"] += 1
        share["values"] += target.entry.num_elements
        share["bytes"] += target.nbytes
    return dict(sorted(shares.items(), key=lambda item: -item[1]["bytes"]))


def _compared(comparison: Comparison) -> dict[str, Any]:
    found = comparison.divergence
    return {
        "tokens": comparison.tokens,
        "text": comparison.text,
        "dtype": comparison.dtype,
        "kl_mean": found.kl_mean,
        "kl_max": found.kl_max,
        "top1": found.top1,
    }
