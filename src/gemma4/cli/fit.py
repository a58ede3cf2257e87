"""`gemma4 fit`: what a model takes and whether this machine has it, before anything is downloaded."""

from dataclasses import asdict
from typing import Annotated

import typer

from ..fit.estimate import FitReport, Job
from ..fit.machine import Machine, read_machine
from ..fit.pages import KV_DTYPES
from ..fit.tiles import TILED
from ..kernels.native import Native
from ..llm.native_choice import AUTO
from .fit_candidates import Candidate, Planned, estimate, list_candidates
from .output import JsonOption, NoColorOption, Output, QuietOption, format_bytes
from .session import session_of

DEFAULT_CONTEXT = 4096
NATIVE, TORCH = "native", "torch"
_HEADER = (
    "MODEL",
    "QUANT",
    "RUNS IN",
    "DOWNLOAD",
    "WEIGHTS",
    "MEDIA",
    "KV",
    "WORK",
    "RUNTIME",
    "MAPPED",
    "PRIVATE",
    "PEAK",
    "FITS",
    "LONGEST",
)


def fit(
    context: typer.Context,
    model: Annotated[
        str | None, typer.Argument(help="A name, a directory or a .gguf file; default: every size.")
    ] = None,
    ctx: Annotated[
        int | None, typer.Option("--ctx", help="Tokens of each conversation.", show_default="4096")
    ] = None,
    users: Annotated[int, typer.Option("--users", help="Conversations at a time.")] = 1,
    quant: Annotated[
        str | None, typer.Option("--quant", help="fp32, bf16, fp16, q8_0, q4_k_m, q4_0 or w4a16.")
    ] = None,
    kv_dtype: Annotated[
        str | None, typer.Option("--kv-dtype", help=f"Of the KV cache: {', '.join(KV_DTYPES)}.")
    ] = None,
    kernels: Annotated[
        str, typer.Option("--kernels", help="As `gemma4 run` takes it: auto, off, avx2, neon, ….")
    ] = AUTO,
    text_only: Annotated[bool, typer.Option("--text-only", help="Without the towers.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Say what a model takes in memory, exactly, and whether this machine has it.

    Nothing is downloaded or loaded. A model on disk is counted in the encodings of its files, any
    other from its published shapes. Native kernels read weights where they lie, quantized as they
    are: MAPPED is pages of files, which must stay in memory for speed, PRIVATE all else at its most.
    Without kernels (RUNS IN names a dtype) quantized weights are expanded when loaded, to float32 if
    that takes at most half of the free memory. LONGEST is the longest context that fits.

    \b
    Examples:
      gemma4 fit
      gemma4 fit e4b --ctx 131072 --users 4
      gemma4 fit 31b --quant q4_0 --kv-dtype int8
      gemma4 fit ./my-checkpoint --json
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    machine = read_machine()
    planned = Planned(
        quant=quant, media=not text_only, kernels=kernels, available_bytes=machine.available_bytes
    )
    reports = []
    for candidate in list_candidates(session, model, planned):
        limit = candidate.config.text.max_positions
        tokens = min(DEFAULT_CONTEXT, limit) if ctx is None else ctx
        if model is None and tokens > limit:
            out.note(f"{candidate.model} holds {limit} tokens, fewer than --ctx {tokens}")
            continue
        job = Job(context=tokens, users=users, kv_dtype=kv_dtype, media=not text_only)
        reports.append((candidate, estimate(candidate, job, machine)))
    if out.as_json:
        entries = [describe(candidate, report, machine) for candidate, report in reports]
        out.data(entries if model is None else entries[0])
        return
    out.table(_HEADER, [_row(candidate, report) for candidate, report in reports])
    _explain(out, machine, reports)


def describe(candidate: Candidate, report: FitReport, machine: Machine) -> dict[str, object]:
    """One estimate as JSON."""
    return {
        "model": candidate.model,
        "quantization": candidate.quantization,
        "run_dtype": candidate.run_dtype,
        "kernels": candidate.kernels.kernels if isinstance(candidate.kernels, Native) else TORCH,
        **asdict(report),
        "machine": {
            "total_bytes": machine.total_bytes,
            "available_bytes": machine.available_bytes,
            "limited_by": machine.limited_by,
        },
    }


def _row(candidate: Candidate, report: FitReport) -> tuple[str, ...]:
    sizes = (
        report.file_bytes,
        report.weights_bytes,
        report.media_bytes,
        report.kv_cache_bytes,
        report.activation_bytes,
        report.runtime_bytes,
        report.mapped_bytes,
        report.private_bytes,
        report.peak_bytes,
    )
    return (
        candidate.model,
        candidate.quantization,
        NATIVE if candidate.native else candidate.run_dtype,
        *(format_bytes(size) for size in sizes),
        _verdict(report),
        str(report.longest_context or "-"),
    )


def _verdict(report: FitReport) -> str:
    """`yes`, `gpu` if it fits a GPU alone, or `no`."""
    if report.fits:
        return "yes"
    return "gpu" if any(gpu.fits for gpu in report.gpus) else "no"


def _explain(out: Output, machine: Machine, reports: list[tuple[Candidate, FitReport]]) -> None:
    """What the figures are compared with, and what is outside them."""
    place = "this container" if machine.limited_by == "container" else "this machine"
    out.note(
        f"{place} has {format_bytes(machine.available_bytes)} of memory free, of "
        f"{format_bytes(machine.total_bytes)}"
    )
    for kernels in dict.fromkeys(candidate.kernels for candidate, _ in reports):
        if isinstance(kernels, Native):
            out.note(
                f"native kernels ({kernels.kernels}) read weights where they lie; MAPPED is the "
                "system's cache of files, shared between processes, and PRIVATE is not shared"
            )
        elif kernels is not None:
            out.note(f"computing with torch, which expands quantized weights: {kernels.reason}")
    for gpu in machine.gpus:
        out.note(f"{gpu.name} has {format_bytes(gpu.free_bytes)} free")
    for reason in dict.fromkeys(gpu.torch_because for _, report in reports for gpu in report.gpus):
        out.note(
            f"on a GPU {TILED} matrices of the layers stay as they are, other quantized weights are expanded"
            if reason is None
            else f"on a GPU torch computes, which expands quantized weights: {reason}"
        )
    largest = max((report.disk_bytes for _, report in reports), default=0)
    if largest:
        out.note(
            "the per-layer tables of E2B and E4B stay on disk "
            f"(up to {format_bytes(largest)}) and are not in PEAK"
        )
