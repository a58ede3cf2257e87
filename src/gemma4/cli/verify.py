"""`gemma4 verify`: prove that a checkpoint gives the numbers of another one, or of transformers."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .output import JsonOption, NoColorOption, Output, QuietOption
from .session import Session, session_of

if TYPE_CHECKING:
    from ..verify.report import ProbeResult, Report
    from ..verify.subject import Subject

TRANSFORMERS = "transformers"

AgainstOption = Annotated[
    str,
    typer.Option("--against", help="`transformers`, or a name, a directory, a .gguf file."),
]
PromptOption = Annotated[
    str | None, typer.Option("--prompt", help="Your text, in place of the built-in passage.")
]
ImageOption = Annotated[
    list[Path] | None, typer.Option("--image", help="Your picture; may be given several times.")
]
AudioOption = Annotated[Path | None, typer.Option("--audio", help="Your sound.")]
VideoOption = Annotated[Path | None, typer.Option("--video", help="Your clip.")]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", help="Compare only text, image, video or audio; may be repeated."),
]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="Leave out the text longer than the sliding window.")
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="Of the arithmetic: float32, bfloat16, float16 or auto.")
]
AgainstDtypeOption = Annotated[
    str | None, typer.Option("--against-dtype", help="Of the other side; default: the same.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1, … or auto.")]
AgainstDeviceOption = Annotated[
    str | None, typer.Option("--against-device", help="Of the other side; default: the same.")
]
ToleranceOption = Annotated[
    float | None,
    typer.Option("--tolerance", min=0, help="Most that a logit may differ, of the largest logit."),
]
KlOption = Annotated[float | None, typer.Option("--kl", min=0, help="Most mean KL, in nats.")]
Top1Option = Annotated[
    float | None, typer.Option("--top1", min=0, max=1, help="Least share of equal top tokens.")
]
LayersOption = Annotated[
    bool, typer.Option("--layers", help="Show every layer's line, also where all is well.")
]


def verify(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A name, a directory or a .gguf file.")],
    against: AgainstOption,
    prompt: PromptOption = None,
    image: ImageOption = None,
    audio: AudioOption = None,
    video: VideoOption = None,
    only: OnlyOption = None,
    quick: QuickOption = False,
    dtype: DtypeOption = "float32",
    against_dtype: AgainstDtypeOption = None,
    device: DeviceOption = "auto",
    against_device: AgainstDeviceOption = None,
    tolerance: ToleranceOption = None,
    kl: KlOption = None,
    top1: Top1Option = None,
    layers: LayersOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Run the same ids and media through two sides and compare logits and layers.

    The limits follow from what the two are: equal weights in float32, 16 bits, or quantized. Each
    medium is exchanged for another as well: who gives the same logits for two pictures is blind.
    Exits with 1 outside the limits.

    \b
    Examples:
      gemma4 verify e2b --against transformers
      gemma4 verify e2b --against ./gemma-4-E2B-it-Q4_K_M.gguf
      gemma4 verify ./finetuned --against e2b --only text --layers
      gemma4 verify e2b --against e2b --device cuda --against-device cpu
      gemma4 verify e4b --against transformers --image photo.jpg --json
    """
    from ..verify.probes import ProbeInput
    from ..verify.tolerance import default_tolerance, with_limits
    from ..verify.verify import verify as compare

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    wanted = ProbeInput(
        prompt=prompt,
        images=tuple(image or ()),
        audio=audio,
        video=video,
        only=tuple(only or ()),
        quick=quick,
    )
    devices, dtypes = (device, against_device or device), (dtype, against_dtype or dtype)
    first, second = _subjects(session, (model, against), devices, dtypes)
    limits = with_limits(default_tolerance(first, second), relative=tolerance, kl=kl, top1=top1)
    report = compare(first, second, wanted=wanted, tolerance=limits, on_progress=out.note)
    if out.as_json:
        out.data(report.to_json())
    else:
        _print(out, report, layers=layers)
    report.check()


def _subjects(
    session: Session, names: tuple[str, str], devices: tuple[str, str], dtypes: tuple[str, str]
) -> tuple["Subject", "Subject"]:
    """Both sides; against transformers, the same checkpoint in it."""
    from ..hub.names import resolve
    from ..verify.subject import in_transformers, ours

    path = resolve(names[0], session.store)
    model = ours(path, device=devices[0], dtype=dtypes[0])
    if names[1] == TRANSFORMERS:
        return model, in_transformers(path, device=devices[1], dtype=dtypes[1])
    return model, ours(resolve(names[1], session.store), device=devices[1], dtype=dtypes[1])


def _print(out: Output, report: "Report", *, layers: bool) -> None:
    """The table of modalities, and the layers of those that fail."""
    limits = report.tolerance
    relative = "any" if limits.relative is None else f"≤ {limits.relative:.2g}"
    out.result(f"{report.model}\nagainst {report.against}")
    out.result(
        f"limits: logit difference {relative} of the largest logit, mean KL ≤ {limits.kl:.2g} nats, "
        f"top-1 ≥ {limits.top1:.0%} ({limits.why})\n"
    )
    header = (
        "input", "tokens", "rows", "logit difference", "relative", "KL mean", "KL max", "top-1",
        "first differing layer", "media change", "verdict",
    )  # fmt: skip
    out.table(header, [_line(probe) for probe in report.probes])
    for probe in report.probes:
        if layers or probe.problems:
            _print_layers(out, probe)
    for problem in report.problems:
        out.warn(problem)
    for note in report.notes:
        out.note(f"note: {note}")


def _line(probe: "ProbeResult") -> tuple[str, ...]:
    found, first, change = probe.divergence, probe.first_difference, probe.least_change
    return (
        probe.name,
        str(probe.tokens),
        str(found.rows),
        f"{found.largest:.2e}",
        f"{found.relative:.2e}",
        f"{found.kl_mean:.2e}",
        f"{found.kl_max:.2e}",
        f"{found.top1:.1%}",
        f"{first.name} {first.verdict}" if first else "none",
        "" if change is None else f"{change:.2e}",
        "OUTSIDE" if probe.problems else "ok",
    )


def _print_layers(out: Output, probe: "ProbeResult") -> None:
    out.result(f"\n{probe.name}")
    for problem in probe.problems:
        out.result(out.paint(f"  {problem}", "red"))
    colors = {"OK": "green", "DIFF": "red", "SHAPE": "red", "MISSING": "yellow"}
    width = max((len(line.name) for line in probe.layers), default=0)
    for line in probe.layers:
        verdict = out.paint(f"{line.verdict:<7}", colors[line.verdict])
        numbers = line.detail
        if line.largest is not None and line.mean is not None and line.relative is not None:
            numbers = (
                f"max {line.largest:.2e}   mean {line.mean:.2e}   relative {line.relative:.2e}"
            )
        out.result(f"  {line.name:<{width}}   {verdict}   {numbers}")
