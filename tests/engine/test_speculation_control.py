"""How much is drafted: costs as measured, plans, pauses, and what the answer says. Virtual time."""

import itertools
import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from speculated import Scripted, answer_all
from tiny_loaded import engine_prompt, loaded
from tiny_media import text_prompt

from gemma4.engine.drafting import Passed
from gemma4.engine.end import End
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampler import Sampler
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.chances import PRIOR, Chances
from gemma4.engine.speculation.costs import Costs
from gemma4.engine.speculation.draft_costs import DraftCosts
from gemma4.engine.speculation.plan import LEAST_GAIN, plan_counts
from gemma4.engine.speculation.report import SpeculationReport
from gemma4.engine.speculation.source import Tip
from gemma4.engine.speculation.speculation import LONGEST_PAUSE
from gemma4.engine.speculation.speculator import LONGEST_DRAFT, Speculator

NO_PAGES = None  # nobody reads keys here


class Machine:
    """Requests whose drafted tokens are right with a chance, and passes that take
    1 + slope · (rows − 1) seconds, and one second more for each row behind `steep_from`.
    """

    def __init__(
        self,
        *,
        chance: Callable[[int], float],
        slope: float,
        draft_seconds: float = 0.0,
        name: str = "drafter",
        requests: int = 1,
        chance_of: Callable[[Request], float] | None = None,
        steep_from: int = 10**6,
    ) -> None:
        self.now = 0.0
        self.rows: list[int] = []
        self.lengths: list[list[int]] = []
        self._chance_of = chance_of or (lambda _request: chance(len(self.rows)))
        self._slope, self._random = slope, random.Random(1)
        self._steep_from = steep_from

        def guess(_tip: Tip, count: int) -> list[int]:
            self.now += draft_seconds * count
            return [1] * count

        self.speculator = Speculator(Scripted(guess, name=name), clock=lambda: self.now)
        self.requests = [_request(number) for number in range(requests)]
        self._pass({}, seconds=None, read_prompt=True)

    def run(self, passes: int) -> None:
        for _ in range(passes):
            drafts = self.speculator.propose(self.requests, NO_PAGES)
            rows = len(self.requests) + sum(map(len, drafts.values()))
            seconds = 1.0 + self._slope * (rows - 1) + max(0, rows - self._steep_from)
            self.now += seconds
            self._pass(drafts, seconds=seconds, read_prompt=False)
            self.rows.append(rows)
            self.lengths.append([len(drafts.get(one.number, ())) for one in self.requests])

    def report(self) -> SpeculationReport:
        self.speculator.forget(self.requests[0])
        assert self.requests[0].speculation is not None
        return self.requests[0].speculation

    def _pass(
        self, drafts: dict[int, tuple[int, ...]], *, seconds: float | None, read_prompt: bool
    ) -> None:
        passed = []
        for request in self.requests:
            draft, right = drafts.get(request.number, ()), 0
            while right < len(draft) and self._random.random() < self._chance_of(request):
                right += 1
            chosen = (*draft[:right], 2)
            request.ids += chosen
            passed.append(
                Passed(
                    request=request,
                    drafted=draft,
                    chosen=chosen,
                    hidden=torch.zeros(1),
                    read_prompt=read_prompt,
                )
            )
        self.speculator.learn(passed, seconds=seconds)


def _request(number: int, *, budget: int = 10**6) -> Request:
    ids = torch.tensor([5, 6])
    request = Request(
        prompt=Prompt(ids=ids),
        sampler=Sampler(Sampling(temperature=0.0), prompt_ids=ids, vocab_size=8),
        guard=None,
        stop_ids=frozenset(),
        budget=budget,
        at_budget=End("length"),
        num_groups=0,
    )
    request.number = number
    return request


def run(
    passes: int,
    *,
    chance: float,
    slope: float,
    draft_seconds: float = 0.0,
    name: str = "drafter",
    requests: int = 1,
) -> tuple[SpeculationReport, list[int], float]:
    """The first request's report, and rows and seconds of all passes."""
    machine = Machine(
        chance=lambda _pass: chance,
        slope=slope,
        draft_seconds=draft_seconds,
        name=name,
        requests=requests,
    )
    machine.run(passes)
    return machine.report(), machine.rows, machine.now


def costs_of(seconds: dict[int, float], *, draft: float = 0.0) -> Costs:
    costs = Costs()
    for rows, value in seconds.items():
        costs.record_pass(rows, value, plain=True)
        costs.record_pass(rows, value, plain=True)
    if draft:
        costs.record_draft(1, 1, draft)
    return costs


def test_good_drafts_on_a_cheap_pass_grow_long_and_gain() -> None:
    report, rows, seconds = run(200, chance=0.95, slope=0.03)
    assert rows[:2] == [1, 1]  # what a plain pass takes is measured first
    assert rows[-1] == 1 + LONGEST_DRAFT
    assert report.off_reason is None
    assert report.gain is not None
    assert report.gain == pytest.approx((report.tokens - 2) / (seconds - 2.0), rel=0.05)
    assert report.gain > 4


def test_middling_drafts_stay_short() -> None:
    _, rows, _ = run(300, chance=0.5, slope=0.2)
    assert 2 <= np.mean(rows[100:]) <= 3


def test_drafts_that_are_always_wrong_are_given_up_and_said_why() -> None:
    report, rows, seconds = run(400, chance=0.0, slope=0.05)
    assert report.accepted == 0
    assert report.off_reason == (
        f"0 of {report.drafted} drafted tokens were right, too few to gain; "
        "the drafter may be another model's, or either's weights be damaged"
    )
    assert sum(row > 1 for row in rows) < 40
    assert seconds < 400 * 1.03  # what trying costs
    assert report.gain is not None
    assert 0.97 < report.gain < 1.0


def test_lookup_that_is_wrong_blames_no_weights() -> None:
    report, _, _ = run(200, chance=0.0, slope=0.05, name="lookup")
    assert report.off_reason is not None
    assert report.off_reason.endswith("drafted tokens were right, too few to gain")


def test_a_machine_where_rows_cost_as_much_as_passes_drafts_nothing() -> None:
    """llama.cpp's figure: a pass over four tokens costs three times a pass over one."""
    report, rows, seconds = run(400, chance=0.6, slope=0.67)
    assert report.off_reason is not None
    assert "a pass over 3 tokens takes 2.3 times as long as one over 1" in report.off_reason
    assert sum(row > 1 for row in rows) < 40
    assert seconds < 400 * 1.15


def test_why_nothing_is_drafted_is_told_for_as_many_as_it_was_decided_for() -> None:
    """Alone the same machine drafts: beside seven others two rows more cost what they cannot bring."""
    alone, _, _ = run(300, chance=0.6, slope=0.05)
    assert alone.off_reason is None
    machine = Machine(chance=lambda _pass: 0.6, slope=0.05, requests=8, steep_from=8)
    machine.run(300)
    assert machine.report().off_reason == (
        "checking drafts costs more than they gain: with 8 requests together a pass over 10 tokens "
        "takes 2.6 times as long as one over 8"
    )


def test_a_slow_drafter_is_not_worth_its_drafts() -> None:
    report, rows, _ = run(300, chance=0.6, slope=0.0, draft_seconds=0.9)
    assert report.off_reason is not None
    assert sum(row > 1 for row in rows[50:]) < 20


def test_what_was_given_up_is_tried_again_at_growing_intervals() -> None:
    _, rows, _ = run(3000, chance=0.0, slope=0.1)
    tries = [i for i, row in enumerate(rows) if row > 1]
    pauses = [
        later - earlier for earlier, later in itertools.pairwise(tries) if later - earlier > 8
    ]
    assert pauses == sorted(pauses)
    assert len(pauses) >= 3
    assert pauses[0] >= 120
    assert max(pauses) <= LONGEST_PAUSE + 12


def test_drafts_that_become_good_are_taken_up_again() -> None:
    machine = Machine(chance=lambda done: 0.0 if done < 100 else 0.95, slope=0.2)
    machine.run(100)
    assert max(machine.rows[60:]) == 1
    machine.run(600)
    assert machine.rows[-1] > 4
    assert machine.report().off_reason is None


def test_many_streams_share_what_a_pass_has_room_for() -> None:
    """Eight requests fill the pass: rows cost too much to guess with."""
    _, rows, _ = run(200, chance=0.7, slope=0.25, requests=8)
    assert sum(row > 8 for row in rows[20:]) < 40
    _, alone, _ = run(200, chance=0.7, slope=0.25)
    assert np.mean(alone[20:]) > 2


def test_the_same_measurements_give_the_same_plans() -> None:
    assert run(300, chance=0.6, slope=0.1) == run(300, chance=0.6, slope=0.1)


def test_passes_that_read_prompts_are_not_measured() -> None:
    machine = Machine(chance=lambda _pass: 1.0, slope=0.0)
    for _ in range(5):
        assert (
            machine.speculator.propose(machine.requests, NO_PAGES) == {}
        )  # nothing to compare with
        machine._pass({}, seconds=None, read_prompt=False)
    report = machine.report()
    assert (report.tokens, report.passes, report.gain, report.acceptance) == (6, 6, None, None)


def test_a_request_that_was_never_learnt_of_has_no_report() -> None:
    speculator, request = Speculator(Scripted(lambda _tip, _count: ())), _request(3)
    speculator.forget(request)
    assert request.speculation is None


@pytest.mark.parametrize("seed", range(20))
def test_a_plan_is_the_best_of_all_plans(seed: int) -> None:
    """Every choice of lengths for three requests is tried; costs rise with rows and draft length."""
    chance = random.Random(seed)
    costs = costs_of(
        {3: 1.0, 6: 1.0 + chance.random(), 12: 2.0 + chance.random()}, draft=0.1 * chance.random()
    )
    rows = [list(np.cumprod([chance.random() for _ in range(3)])) for _ in range(3)]

    def rate(counts: tuple[int, ...]) -> float:
        expected = 3 + sum(sum(row[:count]) for row, count in zip(rows, counts, strict=True))
        return expected / (
            costs.of_pass(3 + sum(counts)) + costs.of_draft(max(counts), sum(counts))
        )

    best = max(map(rate, itertools.product(range(4), repeat=3)))
    found = rate(tuple(plan_counts(rows, costs)))
    plain = rate((0, 0, 0))
    if best > LEAST_GAIN * plain:
        assert found >= 0.97 * best  # the order of chances ignores whose draft is the longest
    assert found >= plain


def test_chances_are_learned_by_place() -> None:
    chances = Chances(4)
    assert chances.reach(2) == pytest.approx([PRIOR, PRIOR**2])
    for _ in range(60):
        chances.record(3, 1)  # the first right, the second wrong, the third unknown
    first, second, third, _ = chances.reach(4)
    assert first > 0.99
    assert second < 0.02
    assert third == pytest.approx(second * PRIOR)
    chances.record(0, 0)
    assert chances.reach(1) == [first]


def test_costs_between_and_beyond_what_was_measured() -> None:
    costs = costs_of({1: 1.0, 5: 1.4, 9: 3.0})
    assert costs.of_pass(3) == pytest.approx(1.2)
    assert costs.of_pass(11) == pytest.approx(3.8)
    assert costs_of({2: 1.0}).of_pass(7) == 1.0
    assert costs_of({1: 2.0, 4: 1.0}).of_pass(8) == pytest.approx(2**0.5)  # both, averaged
    assert costs.of_draft(3, 3) == 0.0


@pytest.mark.parametrize(("step", "token"), [(0.5, 0.01), (0.02, 0.2), (0.0, 0.3), (0.4, 0.0)])
def test_steps_and_tokens_of_drafts_are_told_apart(step: float, token: float) -> None:
    """Within 5 %, with 2 % of noise, from drafts of one to eight requests of differing lengths."""
    costs, chance = DraftCosts(), random.Random(3)
    for _ in range(60):
        counts = [chance.randrange(9) for _ in range(chance.randrange(1, 9))]
        if any(counts):
            seconds = step * max(counts) + token * sum(counts)
            costs.record(max(counts), sum(counts), seconds * chance.uniform(0.98, 1.02))
            costs.check()
    for steps, tokens in ((1, 1), (4, 4), (4, 20)):
        assert costs.of(steps, tokens) == pytest.approx(step * steps + token * tokens, rel=0.05)


def test_drafts_that_are_always_alike_say_what_such_drafts_cost() -> None:
    costs = DraftCosts()
    assert costs.of(3, 3) == 0.0
    for steps in (1, 4, 2, 4):
        costs.record(steps, 3 * steps, 0.1 * steps)
    assert costs.of(4, 12) == pytest.approx(0.4)
    assert 0.0 < costs.of(4, 4) < 0.4  # fewer requests: neither free nor as much


def test_only_requests_whose_drafts_are_right_are_drafted_for() -> None:
    """Four streams on a machine where rows and drafted tokens cost something: one copies, three do not."""
    right = {0: 0.95, 1: 0.05, 2: 0.05, 3: 0.05}
    machine = Machine(
        chance=lambda _pass: 0.0,
        slope=0.04,
        draft_seconds=0.02,
        requests=4,
        chance_of=lambda request: right[request.number],
    )
    machine.run(200)
    lengths = np.array(machine.lengths[60:])
    assert np.median(lengths[:, 0]) >= 5
    assert (lengths[:, 1:].mean(axis=0) < 0.5).all()


def test_more_rows_never_seem_to_cost_less() -> None:
    costs = costs_of({1: 1.0, 9: 1.6})
    for _ in range(10):
        costs.record_pass(9, 1.6, plain=False)
    costs.record_pass(3, 3.0, plain=False)  # one pass, while something else was going on
    found = [costs.of_pass(rows) for rows in range(1, 12)]
    assert found == sorted(found)
    assert costs.of_pass(3) < 1.8


def test_one_disturbed_pass_changes_little() -> None:
    costs = costs_of({1: 1.0, 4: 1.5})
    for _ in range(20):
        costs.record_pass(1, 1.0, plain=True)
    costs.record_pass(1, 500.0, plain=True)
    assert costs.of_pass(1) < 1.35
    assert costs.of_pass(4) / costs.of_pass(1) == pytest.approx(1.5, rel=0.1)


def test_a_machine_that_slows_down_does_not_look_like_drafts_that_cost_more() -> None:
    """Only passes with drafts are measured while everything becomes three times as slow."""
    costs = costs_of({1: 1.0, 4: 1.2})
    for step in range(100):
        costs.record_pass(4, 1.2 * 3 ** (step / 99), plain=False)
    assert costs.of_pass(4) == pytest.approx(3.6, rel=0.1)
    assert costs.of_pass(4) / costs.of_pass(1) == pytest.approx(1.2, rel=0.35)


def test_what_rows_cost_is_learned_whatever_the_first_measurement_said() -> None:
    costs = Costs()
    costs.record_pass(1, 9.0, plain=True)  # the first pass of a process is slow
    for _ in range(60):
        costs.record_pass(1, 1.0, plain=True)
        costs.record_pass(4, 1.5, plain=False)
    assert costs.of_pass(1) == pytest.approx(1.0, rel=0.1)
    assert costs.of_pass(4) == pytest.approx(1.5, rel=0.1)


def test_plain_passes_are_timed_now_and_then_though_drafts_are_good() -> None:
    _, rows, _ = run(400, chance=0.95, slope=0.02)
    plain = [i for i, row in enumerate(rows) if row == 1]
    assert 5 < len(plain) < 25
    assert max(later - earlier for earlier, later in itertools.pairwise(plain)) <= 65


def test_a_whole_run_gives_up_on_a_wrong_drafter() -> None:
    """The first test of a drafter that reads the wrong keys: nothing it says is right."""
    model = loaded("moe")
    start = engine_prompt(model, text_prompt(13, seed=4))
    settings = Sampling(temperature=0.0, max_tokens=60)
    source = Scripted(lambda tip, count: [(int(tip.ids[-1]) * 7 + 1) % 400] * count)
    [answer] = answer_all(
        model, [start], [settings], source, seconds=lambda rows: 1.0 + 0.2 * (rows - 1)
    )
    report = answer.report
    assert report is not None
    assert report.off_reason is not None
    assert report.off_reason.startswith("0 of ")
    assert report.drafted < 40
