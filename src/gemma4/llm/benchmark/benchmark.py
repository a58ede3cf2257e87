"""Measures a loaded model as planned; whole rounds outlast an interrupt."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter

from ...engine.engine import Engine
from ...errors import InputError
from ..llm import LLM
from .driver import Clock, Driver
from .matrices import DecoderMatrix, bytes_of_pass, find_matrices
from .measurement import Kind, Measurement, Round
from .memory import PeakMemory
from .plan import CHECKING_PASSES, Plan, random_prompt


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One measurement to be made; see `Measurement`."""

    kind: Kind
    tokens: int
    depth: int
    streams: int = 1


OnRound = Callable[[Job, int], None]
"""Told before a round: what it belongs to, and its number; 0 is the one that is not counted."""


class Benchmark:
    """Measurements of one model, which serves nobody else meanwhile and guesses nothing afterwards.

    Args:
        clock: seconds.
        on_round: told what comes next.

    Attributes:
        measured: what is done, also of a measurement that was interrupted: its whole rounds.
        matrices: of the decoder.
        memory: private memory, watched during the rounds that are not counted and looked at after others.

    Raises:
        ContextError: the model's context is too short for the plan.
        InputError: the model was loaded for fewer streams.
    """

    def __init__(
        self,
        llm: LLM,
        plan: Plan,
        *,
        clock: Clock = perf_counter,
        on_round: OnRound | None = None,
        memory: PeakMemory | None = None,
    ) -> None:
        self.measured: list[Measurement] = []
        self.matrices: tuple[DecoderMatrix, ...] = find_matrices(llm.model.decoder)
        self.memory = memory or PeakMemory()
        engine = llm.streams.engine
        plan.check_context(llm.info.context)
        _check_streams(plan, engine)
        engine.use_drafting(None)
        self._plan = plan
        self._vocab_size = llm.config.text.vocab_size
        self._driver = Driver(engine=engine, clock=clock)
        self._on_round = on_round

    @property
    def jobs(self) -> list[Job]:
        """All measurements, in their order."""
        plan, jobs = self._plan, []
        for depth in plan.depths:
            if plan.prompt:
                jobs.append(Job(kind=Kind.PREFILL, tokens=plan.prompt, depth=depth))
            for streams in plan.streams if plan.steps else ():
                jobs.append(Job(kind=Kind.DECODE, tokens=plan.steps, depth=depth, streams=streams))
            jobs += [Job(kind=Kind.VERIFY, tokens=rows, depth=depth) for rows in plan.checked]
        return jobs

    def run(self) -> Iterator[Measurement]:
        """Measure; each measurement is given when it is done."""
        for job in self.jobs:
            self._measure(job)
            yield self.measured[-1]

    def _measure(self, job: Job) -> None:
        """A round that is not counted, then those that are; whole rounds outlast an interrupt."""
        rounds: list[Round] = []
        try:
            for number in range(self._plan.rounds + 1):
                if self._on_round is not None:
                    self._on_round(job, number)
                if number:
                    rounds.append(self._time(job, number))
                    self.memory.look()
                else:
                    with self.memory.watching():
                        self._time(job, number)
        finally:
            if rounds:
                self.measured.append(self._measurement(job, rounds))

    def _measurement(self, job: Job, rounds: list[Round]) -> Measurement:
        rows = job.tokens if job.kind is Kind.VERIFY else job.streams
        return Measurement(
            kind=job.kind,
            tokens=job.tokens,
            depth=job.depth,
            streams=job.streams,
            rounds=tuple(rounds),
            pass_bytes=bytes_of_pass(self.matrices, rows),
        )

    def _time(self, job: Job, number: int) -> Round:
        driver, vocab_size = self._driver, self._vocab_size
        match job.kind:
            case Kind.PREFILL:
                ids = random_prompt(job.depth, job.tokens, vocab_size, seed=1 + number)
                return driver.time_first_token(ids, job.depth)
            case Kind.DECODE:
                prompts = [
                    random_prompt(0, max(job.depth, 1), vocab_size, seed=stream)
                    for stream in range(job.streams)
                ]
                return driver.time_steps(prompts, job.tokens)
            case Kind.VERIFY:
                ids = random_prompt(0, max(job.depth, 1), vocab_size, seed=0)
                drafts = random_prompt(0, job.tokens, vocab_size, seed=1)[1:]
                return driver.time_checks(ids, job.tokens, CHECKING_PASSES, drafts)


def _check_streams(plan: Plan, engine: Engine) -> None:
    most, limit = max(plan.streams), engine.limits.max_requests
    if plan.steps and most > limit:
        raise InputError(
            f"concurrency {most} was asked for and the model was loaded for {limit} requests at once; "
            f"load it with max_requests={most}"
        )
