"""The comparison as rows and as Markdown.

A ratio is the gain of using ours: throughput ours ÷ theirs, times and memory theirs ÷ ours, so that above
1 ours is better everywhere.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from measurement import METRICS, Report


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One metric of one model beside one peer."""

    model: str
    quant: str
    metric: str
    peer: str
    ours: float
    theirs: float
    ratio: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """Our report and a peer's, of the same model.

    Attributes:
        quant: how the weights are stored, ours first where the sides differ.
        weight_bytes: that a decoding step reads, ours and theirs.
    """

    model: str
    quant: str
    ours: Report
    theirs: Report
    weight_bytes: tuple[int, int]

    def rows(self) -> Iterator[Row]:
        """The metrics that both sides have."""
        for metric, kind in METRICS.items():
            if metric not in self.ours.figures or metric not in self.theirs.figures:
                continue
            mine, other = self.ours.figures[metric].value, self.theirs.figures[metric].value
            yield Row(
                model=self.model,
                quant=self.quant,
                metric=metric,
                peer=self.theirs.side,
                ours=round(mine, 4),
                theirs=round(other, 4),
                ratio=round(mine / other if kind.more_is_better else other / mine, 3),
            )


def write_markdown(
    head: Mapping[str, object], comparisons: Sequence[Comparison], failures: Sequence[str]
) -> str:
    """The whole document."""
    lines = ["# Beside other programs", ""]
    lines += [f"* {key.replace('_', ' ')}: {value}" for key, value in head.items()]
    lines += [
        "",
        "Medians. A ratio above 1 says that ours is better: throughput is ours ÷ theirs, times and "
        "memory are theirs ÷ ours. Random weights in the models' true shapes.",
    ]
    lines += [f"\n**Failed: {failure}**" for failure in failures]
    for comparison in comparisons:
        lines += ["", *_section(comparison, float(str(head["read_bandwidth_gb_s"])) * 1e9)]
    return "\n".join(lines) + "\n"


def _section(comparison: Comparison, bandwidth: float) -> Iterator[str]:
    ours, theirs = comparison.ours, comparison.theirs
    yield f"## {comparison.model}, {comparison.quant}: {ours.side} and {theirs.side}"
    yield ""
    yield f"{ours.version} · {theirs.version}"
    yield ""
    yield f"| metric | | {ours.side} | {theirs.side} | ratio | rounds | |"
    yield "|---|---|---|---|---|---|---|"
    for row in comparison.rows():
        kind = METRICS[row.metric]
        mine, other = ours.figures[row.metric], theirs.figures[row.metric]
        notes = dict.fromkeys(
            f"{side}: {figure.note}"
            for side, figure in ((ours.side, mine), (theirs.side, other))
            if figure.note
        )
        yield (
            f"| {kind.meaning} (`{row.metric}`) | {kind.unit} | {_short(row.ours)} "
            f"| {_short(row.theirs)} | **{row.ratio:.2f}** "
            f"| {len(mine.samples)}, {len(other.samples)} | {'; '.join(notes)} |"
        )
    yield ""
    for report, size in zip((ours, theirs), comparison.weight_bytes, strict=True):
        yield from _derived(report, size, bandwidth)
    for report in (ours, theirs):
        for metric, reason in report.missing.items():
            yield f"* {report.side}, `{metric}` not measured: {reason}"
        yield f"* {report.side}, settings: {report.settings}"


def _derived(report: Report, weight_bytes: int, bandwidth: float) -> Iterator[str]:
    """What follows from the figures: use of the memory's bandwidth, the second turn's share."""
    if speed := report.figures.get("decode_1_short"):
        share = speed.value * weight_bytes / bandwidth
        yield (
            f"* {report.side}: decoding reads {weight_bytes / 1e9:.2f} GB of weights a step, "
            f"{share:.0%} of the measured bandwidth"
        )
    first = report.figures.get("first_turn_ttft")
    for metric in ("second_turn_ttft", "second_turn_ttft_thought", "second_turn_ttft_reread"):
        if first and metric in report.figures:
            share = report.figures[metric].value / first.value
            yield f"* {report.side}: `{metric}` is {share:.1%} of the first turn's"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def as_json(comparisons: Sequence[Comparison]) -> list[dict[str, object]]:
    """All rows of all comparisons."""
    return [asdict(row) for comparison in comparisons for row in comparison.rows()]
