"""Answers of an engine with drafts, in virtual time: what passes cost is said, not measured."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gemma4.engine.drafting import Passed
from gemma4.engine.end import End
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.report import SpeculationReport
from gemma4.engine.speculation.source import DraftSource, Tip
from gemma4.engine.speculation.speculator import Speculator
from gemma4.model.gemma4 import Gemma4


def cheap(rows: int) -> float:
    """Seconds of a pass where more rows cost next to nothing."""
    return 1.0 + 0.01 * rows


class VirtualTime(Speculator):
    """A speculator that is told made-up seconds, so that its plans are the same every time."""

    def __init__(self, source: DraftSource, seconds: Callable[[int], float] = cheap) -> None:
        super().__init__(source, clock=lambda: 0.0)
        self._seconds_of = seconds

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        rows = sum(1 + len(one.drafted) for one in passed)
        super().learn(passed, seconds=None if seconds is None else self._seconds_of(rows))


@dataclass(slots=True)
class Scripted:
    """A source that proposes what a function of the tip and the count says."""

    guess: Callable[[Tip, int], Sequence[int]]
    name: str = "drafter"

    def propose(self, tips: Sequence[Tip], counts: Sequence[int]) -> list[tuple[int, ...]]:
        return [
            tuple(self.guess(tip, count))[:count] if count else ()
            for tip, count in zip(tips, counts, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Answer:
    """One request's outcome; `report` is None without a source."""

    choices: tuple[Choice, ...]
    end: End
    report: SpeculationReport | None
    preemptions: int

    @property
    def ids(self) -> list[int]:
        """Ids of the answer."""
        return [choice.id for choice in self.choices]


def answer_all(
    model: Gemma4,
    prompts: Sequence[Prompt],
    samplings: Sequence[Sampling],
    source: DraftSource | None,
    *,
    stop_ids: frozenset[int] = frozenset(),
    seconds: Callable[[int], float] = cheap,
    limits: Limits | None = None,
    num_pages: Sequence[int] | None = None,
) -> list[Answer]:
    """Run all requests to their ends in one engine, whose parts are checked after each step."""
    engine = open_engine(
        model,
        limits or Limits(context=512),
        num_pages=num_pages,
        drafting=None if source is None else VirtualTime(source, seconds),
    )
    requests = [
        engine.submit(engine.prepare(prompt, sampling, stop_ids=stop_ids))
        for prompt, sampling in zip(prompts, samplings, strict=True)
    ]
    choices: dict[int, list[Choice]] = {request.number: [] for request in requests}
    ends: dict[int, End] = {}
    while not engine.is_idle:
        for update in engine.step():
            assert update.error is None, update.error
            choices[update.request.number] += update.choices
            if update.end is not None:
                ends[update.request.number] = update.end
        engine.check()
    assert not engine.counters.faults, engine.counters.last_fault
    return [
        Answer(
            tuple(choices[request.number]),
            ends[request.number],
            request.speculation,
            request.preemptions,
        )
        for request in requests
    ]
