"""`gemma4 bench`, step by step: load, measure, print; an interrupt prints what is done."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import ContextError
from ...llm.benchmark import Benchmark, Measurement, Plan, measure_bandwidth
from ...llm.benchmark.benchmark import Job
from ..output import Output
from ..session import Session
from ..status_line import StatusLine
from .report import describe, print_report

if TYPE_CHECKING:
    from ...llm.llm import LLM


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What was asked for."""

    model: str
    plan: Plan
    device: str = "auto"
    dtype: str = "auto"
    kernels: str = "auto"
    threads: int | None = None
    kv_dtype: str = "auto"
    kv_memory: int | None = None
    profiles: bool = False


def carry_out(session: Session, out: Output, request: Request) -> bool:
    """Measure and print; False if it was interrupted on the way.

    Raises:
        InputError: one of its kinds, for what cannot be done as asked.
        KeyboardInterrupt: before anything was measured.
    """
    with StatusLine(out, f"loading {request.model}"):
        llm = _load(session, request)
    for note in llm.info.notes:
        out.note(note)
    with StatusLine(out, "measuring how fast memory is read") as status:
        benchmark = Benchmark(
            llm, request.plan, on_round=lambda job, number: _tell(status, job, number, request.plan)
        )
        bandwidth = measure_bandwidth(benchmark.matrices, threads=llm.info.threads)
        if request.profiles and llm.info.kernels in ("torch", "cuda"):
            out.warn(
                f"--profile shows nothing: {llm.info.kernels} computes, and only native kernels count"
            )
        whole = _measure(out, status, benchmark)
    if not benchmark.measured:
        raise KeyboardInterrupt
    report = describe(llm, request.plan, benchmark, bandwidth, profiles=request.profiles)
    print_report(out, report | {"interrupted": not whole})
    return whole


def _load(session: Session, request: Request) -> "LLM":
    from ...llm.load import load

    plan = request.plan
    try:
        return load(
            request.model,
            device=request.device,
            dtype=request.dtype,
            kernels=request.kernels,
            threads=request.threads,
            context=plan.context,
            kv_dtype=request.kv_dtype,
            kv_memory=request.kv_memory,
            max_requests=max(plan.streams),
            text_only=True,
            drafter=None,
            store=session.store.root,
        )
    except ContextError as error:
        if request.kv_memory is None:
            plan.check_context(error.limit)
        raise


def _measure(out: Output, status: StatusLine, benchmark: Benchmark) -> bool:
    """All measurements, each told when it is done; False if interrupted."""
    try:
        for measurement in benchmark.run():
            status.clear()
            out.note(_line(measurement))
    except KeyboardInterrupt:
        out.warn("interrupted: what follows is what was measured until then")
        return False
    return True


def _tell(status: StatusLine, job: Job, number: int, plan: Plan) -> None:
    name = f"{job.kind} {job.tokens} at depth {job.depth}, {job.streams} at once"
    part = f"round {number} of {plan.rounds}" if number else "warming up"
    status.draw(f"{name}: {part} …")


def _line(measurement: Measurement) -> str:
    return (
        f"{measurement.kind} {measurement.tokens} at depth {measurement.depth}, "
        f"{measurement.streams} at once: {measurement.tokens_per_second:.1f} tok/s"
    )
