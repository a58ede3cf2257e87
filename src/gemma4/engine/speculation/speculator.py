"""Plans, makes and judges the drafts of all running requests: the engine's `Drafting`."""

import time
from collections.abc import Callable, Sequence

from ...model.paged_kv import PagedKV
from ..drafting import Passed
from ..request import Request
from .costs import Costs
from .plan import plan_counts
from .report import SpeculationReport
from .source import DraftSource, Tip
from .speculation import TRY_LENGTH, Speculation

LONGEST_DRAFT = 8
LOW_CHANCE = 0.5
HOPELESS = 0.05  # less than this share of many tokens means that something is wrong
MANY = 16


class Speculator:
    """One for an engine; requests come and go.

    Args:
        source: of the drafts.
        longest: most tokens drafted for a request at a time.
        clock: seconds.
    """

    def __init__(
        self,
        source: DraftSource,
        *,
        longest: int = LONGEST_DRAFT,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._source, self._longest, self._clock = source, longest, clock
        self._costs = Costs()
        self._states: dict[int, Speculation] = {}
        self._draft_seconds = 0.0
        self._failure: str | None = None

    def propose(self, requests: Sequence[Request], kv: PagedKV) -> dict[int, tuple[int, ...]]:
        """Draft as much as is worth it for all these requests together; see `Drafting.propose`."""
        self._draft_seconds = 0.0
        counts = [] if self._failure else self._plan(requests)
        if not any(counts):
            return {}
        started = self._clock()
        tips = [self._tip(request, kv, place) for place, request in enumerate(requests)]
        try:
            drafts = self._source.propose(tips, counts)
        except Exception as error:  # no answer depends on drafts, and each says why it had none
            first_line = str(error).partition("\n")[0]
            self._failure = f"{type(error).__name__}: {first_line}"
            return {}
        self._draft_seconds = self._clock() - started
        self._costs.record_draft(max(counts), sum(counts), self._draft_seconds)
        return {request.number: ids for request, ids in zip(requests, drafts, strict=True) if ids}

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        """See `Drafting.learn`. A pass that read prompts says nothing of costs."""
        for one in passed:
            state = self._states.get(one.request.number)
            if state is None:
                state = Speculation(one.hidden, longest=self._longest)
                self._states[one.request.number] = state
            state.record(one.drafted, one.chosen, one.hidden)
        if seconds is None:
            return
        requests, drafted = len(passed), sum(len(one.drafted) for one in passed)
        self._costs.record_pass(requests + drafted, seconds, plain=not drafted)
        if self._costs.has_plain(requests):
            plain = self._costs.of_pass(requests)
            for one in passed:
                state = self._states[one.request.number]
                state.time(seconds + self._draft_seconds, plain * len(one.chosen))

    def forget(self, request: Request) -> None:
        """Leave the request with the report on its drafts."""
        state = self._states.pop(request.number, None)
        if state is not None:
            request.speculation = self._report(state)

    def check(self) -> None:
        """What is known of each request is sound, and so are the costs."""
        for state in self._states.values():
            state.check()
        self._costs.check()

    def _plan(self, requests: Sequence[Request]) -> list[int]:
        """Tokens to draft for each; none where plain passes of as many requests must be timed first."""
        if not self._costs.is_current(len(requests)):
            return [0] * len(requests)
        states = [self._states[request.number] for request in requests]
        # The last token of an answer needs no draft behind it.
        rooms = [
            min(request.budget - request.num_generated - 1, self._longest) for request in requests
        ]
        reaches = [state.chances.reach(room) for state, room in zip(states, rooms, strict=True)]
        planned = plan_counts(reaches, self._costs)
        return [
            state.decide(count, room, company=len(requests))
            for state, count, room in zip(states, planned, rooms, strict=True)
        ]

    def _tip(self, request: Request, kv: PagedKV, place: int) -> Tip:
        state = self._states[request.number]
        return Tip(
            ids=state.history.follow(request.ids),
            hidden=state.hidden,
            kv=kv,
            place=place,
            guess=request.sampler.guess,
        )

    def _report(self, state: Speculation) -> SpeculationReport:
        return SpeculationReport(
            source=self._source.name,
            passes=state.passes,
            tokens=state.tokens,
            drafted=state.drafted,
            accepted=state.accepted,
            acceptance=state.accepted / state.drafted if state.drafted else None,
            gain=state.gain,
            off_reason=self._off_reason(state),
            error=self._failure,
        )

    def _off_reason(self, state: Speculation) -> str | None:
        if self._failure is not None:
            return f"drafting failed: {self._failure}"
        if not state.is_off:
            return None
        drafted, accepted = state.drafted, state.accepted
        if drafted and state.chances.reach(1)[0] < LOW_CHANCE:
            found = f"{accepted} of {drafted} drafted tokens were right, too few to gain"
            if drafted < MANY or accepted >= HOPELESS * drafted or self._source.name == "lookup":
                return found
            return f"{found}; the drafter may be another model's, or either's weights be damaged"
        plain = state.company
        slower = self._costs.of_pass(plain + TRY_LENGTH) / self._costs.of_pass(plain)
        together = f"with {plain} requests together " if plain > 1 else ""
        return (
            f"checking drafts costs more than they gain: {together}a pass over {plain + TRY_LENGTH} "
            f"tokens takes {slower:.1f} times as long as one over {plain}"
        )
