"""`gemma4 fit`: what a model takes and whether this machine has it, before anything is downloaded."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..catalog import FAMILY, Tag, is_known_name, parse_name
from ..config import DrafterConfig, ModelConfig
from ..errors import InputError
from ..fit.counts import count_resident_values
from ..fit.estimate import FitReport, Job, estimate_fit
from ..fit.expansion import expanded_dtype
from ..fit.machine import Machine, read_machine
from ..fit.pages import KV_DTYPES
from ..fit.precision import Quantization, find_quantization
from ..fit.weights import StoredWeights, WeightsEstimate, estimate_stored_weights, estimate_weights
from .output import JsonOption, NoColorOption, Output, QuietOption, format_bytes
from .session import Session, session_of
from .stored_weights import stored_weights

DEFAULT_CONTEXT = 4096
_TABLE_QUANTIZATIONS = ("bf16", "q8_0", "q4_0")
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
    "PEAK",
    "FITS",
    "LONGEST",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A model in one quantization: its name for people, its weights, the dtype it runs in."""

    model: str
    quantization: str
    config: ModelConfig
    weights: WeightsEstimate
    run_dtype: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """How a model is to be loaded, as far as the dtype it runs in depends on it."""

    quant: str | None
    media: bool
    available_bytes: int


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
        str | None, typer.Option("--quant", help="fp32, bf16, fp16, q8_0, q4_0 or w4a16.")
    ] = None,
    kv_dtype: Annotated[
        str | None, typer.Option("--kv-dtype", help=f"Of the KV cache: {', '.join(KV_DTYPES)}.")
    ] = None,
    text_only: Annotated[bool, typer.Option("--text-only", help="Without the towers.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Say what a model takes in memory, exactly, and whether this machine has it.

    Nothing is downloaded or loaded. A model on disk is counted in the encodings of its files, any
    other from its published shapes. Quantized weights are expanded when loaded, to float32 if that
    takes at most half of the free memory; DOWNLOAD is what they take on disk. LONGEST is the longest
    context that fits.

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
    planned = Planned(quant=quant, media=not text_only, available_bytes=machine.available_bytes)
    candidates = list_candidates(session, model, planned)
    reports = []
    for candidate in candidates:
        limit = candidate.config.text.max_positions
        job = Job(
            context=min(DEFAULT_CONTEXT, limit) if ctx is None else ctx,
            users=users,
            run_dtype=candidate.run_dtype,
            kv_dtype=kv_dtype,
            media=not text_only,
        )
        if model is None and job.context > limit:
            out.note(f"{candidate.model} holds {limit} tokens, fewer than --ctx {job.context}")
            continue
        reports.append((candidate, estimate_fit(candidate.config, candidate.weights, job, machine)))
    if out.as_json:
        entries = [describe(candidate, report, machine) for candidate, report in reports]
        out.data(entries if model is None else entries[0])
        return
    out.table(_HEADER, [_row(candidate, report) for candidate, report in reports])
    _explain(out, machine, reports)


def list_candidates(session: Session, model: str | None, planned: Planned) -> list[Candidate]:
    """What to estimate: every size in the usual quantizations, or the one model that was named.

    Raises:
        ModelNotFoundError, ConfigError, CheckpointError: no such model, or one that is not usable.
    """
    if model is None:
        names = _TABLE_QUANTIZATIONS if planned.quant is None else (planned.quant,)
        return [
            _published(member.name, member.config, find_quantization(name), planned)
            for member in FAMILY
            for name in names
        ]
    path = _find_files(session, model)
    if path is None:
        named = parse_name(model)
        default = "q4_0" if named.tag == Tag.QAT_Q4_0 else "bf16"
        quantization = find_quantization(planned.quant or default)
        return [_published(named.text, named.member.config, quantization, planned)]
    return [_stored(model, path, planned)]


def _find_files(session: Session, model: str) -> Path | None:
    """Where a model lies on this machine; None for a short name that is not downloaded."""
    from ..hub.names import find_stored, resolve

    if is_known_name(model) and find_stored(model, session.store) is None:
        return None
    return resolve(model, session.store)


def _published(
    name: str, config: ModelConfig, quantization: Quantization, planned: Planned
) -> Candidate:
    run_dtype = quantization.run_dtype
    if run_dtype is None:
        values = count_resident_values(config, media=planned.media)
        run_dtype = expanded_dtype(values, planned.available_bytes)
    return Candidate(
        model=name,
        quantization=quantization.name,
        config=config,
        weights=estimate_weights(config, quantization, run_dtype),
        run_dtype=run_dtype,
    )


def _stored(name: str, path: Path, planned: Planned) -> Candidate:
    """A model on disk, in its own encodings, or as if it were in another quantization."""
    from ..llm.placement import choose_placement
    from ..weights.open_checkpoint import open_checkpoint

    checkpoint = open_checkpoint(path, text_only=not planned.media)
    config = checkpoint.config
    if isinstance(config, DrafterConfig):
        raise InputError(f"{name} is a drafter, which runs beside its target; give the target")
    if planned.quant is not None:
        return _published(name, config, find_quantization(planned.quant), planned)
    tensors = stored_weights(checkpoint)
    run_dtype = str(choose_placement(checkpoint, "cpu", "auto").dtype).removeprefix("torch.")
    return Candidate(
        model=name,
        quantization=_main_encoding(tensors),
        config=config,
        weights=estimate_stored_weights(tensors, run_dtype),
        run_dtype=run_dtype,
    )


def _main_encoding(tensors: list[StoredWeights]) -> str:
    """The encoding that most bytes are in."""
    sizes: dict[str, int] = {}
    for tensor in tensors:
        sizes[tensor.encoding] = sizes.get(tensor.encoding, 0) + tensor.nbytes
    return max(sizes, key=lambda encoding: sizes[encoding], default="none").lower()


def describe(candidate: Candidate, report: FitReport, machine: Machine) -> dict[str, object]:
    """One estimate as JSON."""
    return {
        "model": candidate.model,
        "quantization": candidate.quantization,
        "run_dtype": candidate.run_dtype,
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
        report.peak_bytes,
    )
    return (
        candidate.model,
        candidate.quantization,
        candidate.run_dtype,
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
    for gpu in machine.gpus:
        out.note(f"{gpu.name} has {format_bytes(gpu.free_bytes)} free")
    largest = max((report.disk_bytes for _, report in reports), default=0)
    if largest:
        out.note(
            "the per-layer tables of E2B and E4B stay on disk "
            f"(up to {format_bytes(largest)}) and are not in PEAK"
        )
