"""Requests as iterators over one engine, and guesses checked several at a time. A fake model."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
import torch
from fake_forward import VOCAB, expected_answer, fake_engine

from gemma4.engine.drafting import Passed
from gemma4.engine.end import End
from gemma4.engine.limits import Limits
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.engine.streams import Streams
from gemma4.errors import SamplingError
from gemma4.model.paged_kv import PagedKV

LIMITS = Limits(context=400, max_requests=4, prefill_chunk=64)


def ids_of(length: int, seed: int = 0) -> list[int]:
    return [(seed + 7 * i * i + 3 * i) % VOCAB for i in range(length)]


def prepare(streams: Streams, ids: list[int], budget: int = 20, **options: object) -> Request:
    settings = Sampling(temperature=0.0, max_tokens=budget, loop_guard=False)
    return streams.engine.prepare(Prompt(ids=torch.tensor(ids)), settings, **options)


def open_streams(**options: object) -> Streams:
    return Streams(fake_engine((30, 30), LIMITS, **options))


def test_iterators_read_in_turn_get_their_own_tokens() -> None:
    streams = open_streams()
    prompts = [ids_of(10), ids_of(100, seed=3), ids_of(33, seed=9)]
    running = [streams.run(prepare(streams, ids)) for ids in prompts]
    answers: list[list[int]] = [[], [], []]
    for _ in range(20):
        for answer, steps in zip(answers, running, strict=True):
            answer.append(next(steps).id)
            streams.check()
    assert answers == [expected_answer(ids, 20) for ids in prompts]
    assert [next(steps) for steps in running] == [End("length")] * 3
    # The others' tokens came in the same passes: alone it would have taken 64.
    assert streams.engine.counters.steps <= 24
    assert streams.engine.is_idle


def test_closing_an_iterator_frees_its_pages_at_once() -> None:
    streams = open_streams()
    first, second = (streams.run(prepare(streams, ids_of(60, seed=n))) for n in (1, 2))
    next(first)
    next(second)
    held = streams.engine.counters.pages_held
    first.close()
    assert all(
        now < before for now, before in zip(streams.engine.counters.pages_held, held, strict=True)
    )
    assert len([step for step in second if isinstance(step, Choice)]) == 19
    assert streams.engine.is_idle


def test_an_iterator_that_was_never_read_leaves_nothing_behind() -> None:
    streams = open_streams()
    steps = streams.run(prepare(streams, ids_of(60)))
    assert streams.engine.is_idle
    del steps
    assert len(list(streams.run(prepare(streams, ids_of(5), budget=3)))) == 4


def test_an_error_comes_out_of_its_own_iterator() -> None:
    class Broken:
        period = None

        def restrict(self, logits: torch.Tensor) -> torch.Tensor:
            raise SamplingError(f"no token of {logits.numel()} may come")

        def accept(self, token: int) -> None:
            raise AssertionError(token)

    streams = open_streams()
    broken = streams.run(prepare(streams, ids_of(40), constraint=Broken()))
    sound = streams.run(prepare(streams, ids_of(40, seed=2)))
    first = next(sound)
    with pytest.raises(SamplingError, match="no token of 32 may come"):
        next(broken)
    rest = [step.id for step in sound if isinstance(step, Choice)]
    assert [first.id, *rest] == expected_answer(ids_of(40, seed=2), 20)
    assert streams.engine.is_idle


class Guesses:
    """Proposes what a function of the request says, and keeps what it is told."""

    def __init__(self, guess, *, breaks: bool = False) -> None:
        self._guess, self._breaks = guess, breaks
        self.passed: list[Passed] = []
        self.seconds: list[float | None] = []
        self.forgotten: list[int] = []

    def propose(self, requests: Sequence[Request], kv: PagedKV) -> Mapping[int, Sequence[int]]:
        if self._breaks:
            raise RuntimeError("the drafter broke")
        kv.check()
        for index, request in enumerate(requests):
            stored = kv.stored(1, index)  # the full layer: all ids but the last
            known = torch.tensor(request.ids[: request.table.length], dtype=torch.float32)
            assert torch.equal(stored.key[:, 0, 0], known)
        return {request.number: self._guess(request) for request in requests}

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        self.passed += passed
        self.seconds.append(seconds)

    def forget(self, request: Request) -> None:
        self.forgotten.append(request.number)

    def check(self) -> None:
        """Nobody is forgotten twice."""
        assert len(set(self.forgotten)) == len(self.forgotten)


def right(request: Request) -> list[int]:
    return expected_answer(request.ids, 4)


def half_right(request: Request) -> list[int]:
    one, two, three, four = expected_answer(request.ids, 4)
    return [one, two, (three + 1) % VOCAB, four]


@pytest.mark.parametrize(
    ("guess", "accepted"), [(right, 4), (half_right, 2), (lambda _: [0], None)]
)
def test_guesses_change_no_answer(guess, accepted: int | None) -> None:
    drafting = Guesses(guess)
    streams = open_streams(drafting=drafting)
    prompts = [ids_of(10), ids_of(100, seed=3)]
    requests = [streams.engine.submit(prepare(streams, ids, budget=60)) for ids in prompts]
    while not streams.engine.is_idle:
        streams.engine.step()
        streams.engine.check()
    for request, ids in zip(requests, prompts, strict=True):
        assert request.ids[len(ids) :] == expected_answer(ids, 60)
    if accepted is not None:
        full = [one for one in drafting.passed if len(one.drafted) == 4]
        assert full
        assert all(len(one.chosen) == accepted + 1 for one in full)
        assert streams.engine.counters.steps <= 3 + 60 / (accepted + 1)
    assert all(len(one.drafted) < 60 - 1 for one in drafting.passed)
    assert sorted(drafting.forgotten) == [request.number for request in requests]
    timed = [seconds is not None for seconds in drafting.seconds]
    assert timed == [False, False, *[True] * (len(timed) - 2)]
    # What was refused was never found by its key: the pages give the same answers again.
    again = [streams.engine.submit(prepare(streams, ids, budget=60)) for ids in prompts]
    longer = streams.engine.submit(prepare(streams, requests[0].ids[:-1], budget=5))
    while not streams.engine.is_idle:
        streams.engine.step()
    assert [one.ids for one in again] == [one.ids for one in requests]
    assert longer.cached_tokens == 64  # of 69 computed tokens, answer included
    assert longer.ids[-5:] == expected_answer(requests[0].ids[:-1], 5)


def test_guesses_that_break_are_left_off_and_counted() -> None:
    streams = open_streams(drafting=Guesses(right, breaks=True))
    steps = list(streams.run(prepare(streams, ids_of(10))))
    assert [step.id for step in steps if isinstance(step, Choice)] == expected_answer(
        ids_of(10), 20
    )
    counters = streams.engine.counters
    assert (counters.faults, counters.last_fault) == (1, "RuntimeError: the drafter broke")


def test_a_stop_inside_a_draft_ends_the_answer_there() -> None:
    answer = expected_answer(ids_of(10), 20)
    stop = answer[6]
    end = answer.index(stop)
    streams = open_streams(drafting=Guesses(right))
    *choices, last = streams.run(prepare(streams, ids_of(10), stop_ids=frozenset({stop})))
    assert [choice.id for choice in choices] == answer[:end]
    assert last == End("stop", stop_id=stop)


@pytest.mark.parametrize(
    ("early", "late", "chunk"),
    [((31, 10), (32, 2), 64), ((30, 4), (40, 1), 40)],
    ids=["who decodes", "who reads its prompt"],
)
def test_no_draft_takes_the_page_that_another_needs(
    early: tuple[int, int], late: tuple[int, int], chunk: int
) -> None:
    """Three pages; the first request's drafts would fill its second, and the other needs its own."""
    limits = replace(LIMITS, prefill_chunk=chunk)
    drafting = Guesses(right)
    streams = Streams(fake_engine((3, 3), limits, drafting=drafting))
    jobs = [(ids_of(length, seed=length), budget) for length, budget in (early, late)]
    requests = [streams.engine.submit(prepare(streams, ids, budget)) for ids, budget in jobs]
    while not streams.engine.is_idle:
        streams.engine.step()
        streams.engine.check()
    for request, (ids, budget) in zip(requests, jobs, strict=True):
        assert request.ids[len(ids) :] == expected_answer(ids, budget)
    assert streams.engine.counters.preemptions == 0
    assert any(one.drafted for one in drafting.passed)  # when there is room again
