"""One thread that owns a loaded model: what is asked goes in from any thread, events come out by callback.

    submit → [encode media, check] → wait → events … → Finished, or an error; cancel at any arrow

The engine, the towers and the samplers run on this thread alone; templates, tokenizing and decoding of
media are done by whoever submits (`LLM.prepare`), so that a long prompt does not hold up the others.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ..engine.end import End
from ..engine.sampler import Choice
from ..engine.update import Counters, Update
from ..errors import EnvironmentFault
from .events import Event
from .llm import LLM
from .stream import Prepared, Reading, Turn


@dataclass(frozen=True, slots=True)
class Begun:
    """The first of what comes: the request was accepted and waits for its turn."""

    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class PrefillProgress:
    """Tokens of the prompt that are computed, those found in the cache included."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The last of what comes where there is no `Finished`."""

    error: Exception


Delivery = Begun | PrefillProgress | Event | Failed
Deliver = Callable[[Sequence[Delivery]], None]
OnGone = Callable[[Exception], None]


def _nobody_waits(_: Exception) -> None:
    """Nobody has to know."""


class Ticket:
    """One request at a worker. `number` is its place in the order of arrival."""

    def __init__(self, number: int, prepared: Prepared, deliver: Deliver) -> None:
        self.number = number
        self.prepared = prepared
        self.deliver = deliver
        self.turn: Turn | None = None
        self.reading: Reading | None = None


class Worker:
    """Runs a model's requests on a thread of its own.

    Args:
        llm: used by this thread alone from now on, but for `prepare` and what never changes.
        on_step: told where the engine stands after each of its steps; runs on the worker's thread.

    Attributes:
        fault: what stopped the thread, if it did not end by `close`; nothing is accepted any more.
    """

    def __init__(self, llm: LLM, *, on_step: Callable[[Counters], None] | None = None) -> None:
        self.llm = llm
        self._on_step = on_step
        self._wake = threading.Condition()
        self._arrivals: deque[Ticket] = deque()
        self._cancelled: deque[Ticket] = deque()
        self._jobs: deque[tuple[Callable[[], None], OnGone]] = deque()
        self.fault: Exception | None = None
        self._closing = False
        self._count = 0
        self._running: dict[int, Ticket] = {}  # by the engine's number; the thread's own
        self._thread = threading.Thread(
            target=self._run, name=f"gemma4-{llm.info.name}", daemon=True
        )
        self._thread.start()

    def submit(self, prepared: Prepared, deliver: Deliver) -> Ticket:
        """Let a prepared request line up.

        Args:
            deliver: gets what one step brought, in order; on the worker's thread, so it should hand on.

        Raises:
            EnvironmentFault: the worker was closed.
        """
        with self._wake:
            self._check_open()
            self._count += 1
            ticket = Ticket(self._count, prepared, deliver)
            self._arrivals.append(ticket)
            self._wake.notify()
        return ticket

    def cancel(self, ticket: Ticket) -> None:
        """End a request wherever it is; nothing more is delivered once the thread has seen it."""
        with self._wake:
            self._cancelled.append(ticket)
            self._wake.notify()

    def call(self, job: Callable[[], None], *, on_gone: OnGone = _nobody_waits) -> None:
        """Run something on the thread, between two steps; it must not raise.

        Args:
            on_gone: told why the job will never run, if the thread ends before it.

        Raises:
            EnvironmentFault: the worker was closed.
        """
        with self._wake:
            self._check_open()
            self._jobs.append((job, on_gone))
            self._wake.notify()

    def close(self) -> None:
        """Stop the thread after the step that it is at; what still runs is told that it failed."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _check_open(self) -> None:
        if self.fault is not None:
            raise EnvironmentFault(
                f"{self.llm.info.name} stopped after an error ({self.fault}); load it again"
            )
        if self._closing:
            raise EnvironmentFault(f"{self.llm.info.name} is being unloaded; ask again")

    def _run(self) -> None:
        gone: Exception = EnvironmentFault(
            f"{self.llm.info.name} was unloaded before the answer was whole; ask again"
        )
        try:
            while self._take_commands():
                self._step()
        except Exception as error:  # the engine contradicts itself: nothing it says can be believed
            self.fault = gone = error
        with self._wake:
            self._closing = True
            left = (*self._running.values(), *self._arrivals)
            jobs, self._jobs = self._jobs, deque()
        for _, on_gone in jobs:
            with suppress(RuntimeError):  # as in _deliver
                on_gone(gone)
        for ticket in left:
            _deliver(ticket, [Failed(gone)])
            self._abort(ticket)

    def _take_commands(self) -> bool:
        """Begin what arrived, abort what was cancelled; sleeps while there is nothing to do."""
        engine = self.llm.streams.engine
        with self._wake:
            while not (self._closing or self._arrivals or self._cancelled or self._jobs):
                if not engine.is_idle:
                    break
                self._wake.wait()
            if self._closing:
                return False
            arrivals, self._arrivals = self._arrivals, deque()
            cancelled, self._cancelled = self._cancelled, deque()
            jobs, self._jobs = self._jobs, deque()
        gone = set(map(id, cancelled))
        for ticket in arrivals:
            if id(ticket) not in gone:
                self._begin(ticket)
        for ticket in cancelled:
            self._abort(ticket)
        for job, _ in jobs:
            job()
        return True

    def _begin(self, ticket: Ticket) -> None:
        try:
            turn = self.llm.begin(ticket.prepared)
            self.llm.streams.engine.submit(turn.request)
        except Exception as error:  # it concerns this request alone
            _deliver(ticket, [Failed(error)])
            return
        ticket.turn, ticket.reading = turn, Reading(turn)
        self._running[turn.request.number] = ticket
        _deliver(ticket, [Begun(prompt_tokens=turn.request.num_prompt)])

    def _abort(self, ticket: Ticket) -> None:
        if ticket.turn is not None:
            self._running.pop(ticket.turn.request.number, None)
            self.llm.streams.engine.abort(ticket.turn.request)

    def _step(self) -> None:
        engine = self.llm.streams.engine
        if engine.is_idle:
            return
        for update in engine.step():
            ticket = self._running.get(update.request.number)
            if ticket is not None:
                self._hand_out(ticket, update)
        if self._on_step is not None:
            self._on_step(engine.counters)

    def _hand_out(self, ticket: Ticket, update: Update) -> None:
        try:
            deliveries: list[Delivery] = list(_read(ticket, update))
        except Exception as error:  # reading an answer concerns its own request alone
            deliveries = [Failed(error)]
        if deliveries and not isinstance(deliveries[-1], PrefillProgress):
            assert ticket.reading is not None
            if isinstance(deliveries[-1], Failed) or ticket.reading.is_over:
                self._abort(ticket)
        if deliveries:
            _deliver(ticket, deliveries)


def _deliver(ticket: Ticket, deliveries: Sequence[Delivery]) -> None:
    with suppress(RuntimeError):  # the event loop that listened is closed: nobody is there
        ticket.deliver(deliveries)


def _read(ticket: Ticket, update: Update) -> Iterator[Delivery]:
    reading = ticket.reading
    assert reading is not None
    if update.error is not None:
        yield Failed(update.error)
        return
    if update.prefilled is not None:
        yield PrefillProgress(done=update.prefilled, total=update.request.num_prompt)
    steps: list[Choice | End] = [*update.choices]
    if update.end is not None:
        steps.append(update.end)
    for step in steps:
        yield from reading.take(step)
        if reading.is_over:
            yield from reading.finish()
            return
