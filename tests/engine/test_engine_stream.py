"""A random stream of submit, abort, preempt, fail and finish: sound after each of 10,000 steps."""

import random
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from fake_forward import VOCAB, expected_answer, fake_engine

from gemma4.engine.drafting import Passed
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request, RequestState
from gemma4.engine.sampling import Sampling
from gemma4.errors import EnvironmentFault, SamplingError
from gemma4.model.paged_kv import PagedKV

STEPS = 10_000
LIMITS = Limits(context=400, max_requests=6, prefill_chunk=48, max_waiting=8)


class FailsAfter:
    """A constraint that breaks at a token."""

    period = None

    def __init__(self, count: int) -> None:
        self._left = count

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        if not self._left:
            raise SamplingError("the grammar allows no token")
        self._left -= 1
        return logits

    def accept(self, token: int) -> None:
        """Any will do."""


class Crowd:
    """Requests that come and go, and what each must answer."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._random = random.Random(seed)
        self._stems = [self._ids(self._random.randrange(20, 250)) for _ in range(4)]
        self.open: dict[int, tuple[Request, list[int], int | None]] = {}
        self.ends: Counter[str] = Counter()

    def act(self) -> None:
        """Submit, abort, or nothing."""
        roll = self._random.random()
        if roll < 0.4:
            self._submit()
        elif roll < 0.43 and self.open:
            request, _, _ = self.open.pop(self._random.choice(list(self.open)))
            self._engine.abort(request)
            assert not request.table.num_blocks
            self.ends["aborted"] += 1

    def step(self) -> None:
        """One step, its outputs compared with what must come."""
        for update in self._engine.step():
            request, expected, fails = self.open[update.request.number]
            got = request.ids[request.num_prompt :]
            assert got == expected[: len(got)], f"request {request.number} answers something else"
            if update.error is not None:
                assert len(got) == fails
                assert request.state is RequestState.FAILED
                self.ends["failed"] += 1
            elif update.end is not None:
                assert got == expected
                assert request.state is RequestState.FINISHED
                self.ends["finished"] += 1
                self.ends["cached"] += request.cached_tokens > 0
            else:
                continue
            del self.open[request.number]

    def _submit(self) -> None:
        stem = self._random.choice(self._stems)
        ids = stem[: self._random.randrange(1, len(stem) + 1)]
        ids = ids + self._ids(self._random.randrange(30))
        budget = self._random.choice([0, 1, 5, 40, 120, 140])
        fails = self._random.choice([None] * 9 + [self._random.randrange(10)])
        request = self._engine.prepare(
            Prompt(ids=torch.tensor(ids)),
            Sampling(temperature=0.0, max_tokens=budget, loop_guard=False),
            stop_ids=frozenset({3}),
            constraint=None if fails is None else FailsAfter(fails),
        )
        expected = expected_answer(ids, budget, frozenset({3}))
        if self._engine.counters.waiting >= LIMITS.max_waiting:
            with pytest.raises(EnvironmentFault, match=r"\d+ requests wait and the limit is 8"):
                self._engine.submit(request)
            self.ends["refused"] += 1
            return
        self._engine.submit(request)
        self.open[request.number] = (request, expected, fails)

    def _ids(self, count: int) -> list[int]:
        return [self._random.randrange(VOCAB) for _ in range(count)]


class Rumours:
    """Drafts of random lengths, some right, for some requests."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.known: set[int] = set()
        self.accepted = 0

    def propose(self, requests: Sequence[Request], kv: PagedKV) -> dict[int, list[int]]:
        assert {request.number for request in requests} <= self.known
        kv.check()
        return {
            request.number: [
                token if self._random.random() < 0.8 else (token + 1) % VOCAB
                for token in expected_answer(request.ids, self._random.randrange(1, 7))
            ]
            for request in requests
            if self._random.random() < 0.7
        }

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        del seconds
        self.known |= {one.request.number for one in passed}
        self.accepted += sum(len(one.chosen) > 1 for one in passed)

    def forget(self, request: Request) -> None:
        self.known.discard(request.number)

    def check(self) -> None:
        """Its crowd looks."""


@pytest.mark.parametrize(
    ("num_pages", "steps", "drafts"),
    [
        ((14, 14), STEPS, False),
        ((9, 30), STEPS // 5, False),
        ((200, 200), STEPS // 5, False),
        ((14, 14), STEPS // 2, True),
        ((200, 200), STEPS // 5, True),
    ],
)
def test_nothing_breaks_over_ten_thousand_steps(
    num_pages: tuple[int, int], steps: int, drafts: bool
) -> None:
    """Few pages, so that requests are preempted; few sliding ones; and enough. Also while drafts are made."""
    rumours = Rumours(seed=steps) if drafts else None
    engine = fake_engine(num_pages, LIMITS, drafting=rumours)
    crowd = Crowd(engine, seed=sum(num_pages))
    for _ in range(steps):
        crowd.act()
        crowd.step()
        engine.check()
    counters = engine.counters
    assert (
        min(crowd.ends[end] for end in ("finished", "aborted", "failed", "cached")) > steps // 200
    )
    assert (counters.preemptions > steps // 400) == (num_pages != (200, 200))
    assert counters.faults == 0
    while not engine.is_idle:
        crowd.step()
    engine.check()
    assert engine.counters.pages_held == (0, 0)
    assert not crowd.open
    if rumours is not None:
        assert not rumours.known
        assert rumours.accepted > steps // 10
