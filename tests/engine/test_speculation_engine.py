"""Drafts among all else that an engine does: remembered prefixes, aborts, faults. float32, exact ids."""

import random

import pytest
import torch
from speculated import Scripted, VirtualTime, answer_all
from tiny_loaded import engine_prompt, loaded, loaded_drafter
from tiny_media import text_prompt
from tiny_models import DRAFTERS

from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request, RequestState
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.gemma_drafter import GemmaDrafter
from gemma4.engine.speculation.lookup import PromptLookup
from gemma4.engine.speculation.source import DraftSource, Tip

GREEDY = Sampling(temperature=0.0, max_tokens=40)


def answer(engine: Engine, prompt: Prompt) -> tuple[list[int], Request]:
    request = engine.submit(engine.prepare(prompt, GREEDY))
    ids: list[int] = []
    while not request.is_over:
        for update in engine.step():
            ids += [choice.id for choice in update.choices]
        engine.check()
    return ids, request


@pytest.mark.parametrize("kind", list(DRAFTERS))
def test_pages_that_held_refused_drafts_are_found_again_right(kind: str) -> None:
    """The second turn reads the first one's pages, where drafts, mostly wrong, were written and refused."""
    model = loaded(DRAFTERS[kind])
    source = GemmaDrafter(loaded_drafter(kind), model)
    engine = open_engine(model, Limits(context=512), drafting=VirtualTime(source))
    first = engine_prompt(model, text_prompt(50, seed=4))
    ids, request = answer(engine, first)
    assert request.speculation is not None
    assert request.speculation.drafted > request.speculation.accepted
    second = Prompt(ids=torch.cat((first.ids, torch.tensor([*ids, 9, 8, 7]))))
    found, request = answer(engine, second)
    assert request.cached_tokens == 64  # of 89 that were computed, whole pages
    [fresh] = answer_all(model, [second], [GREEDY], None)
    assert found == fresh.ids


@pytest.mark.parametrize("source", [PromptLookup(), "drafter"])
def test_requests_that_come_and_go_leave_nothing_behind(source: DraftSource | str) -> None:
    """400 steps of submitting and aborting; every answer that ends is the one it has alone."""
    model, chance = loaded("moe"), random.Random(2)
    if source == "drafter":  # any numbers do
        source = Scripted(lambda _tip, count: [chance.randrange(400) for _ in range(count)])
    speculator = VirtualTime(source)
    engine = open_engine(
        model, Limits(context=256, prefill_chunk=32), num_pages=(14, 12), drafting=speculator
    )
    settings = Sampling(
        temperature=0.0, max_tokens=20, logit_bias=dict.fromkeys(range(40, 44), 12.0)
    )
    prompts = [engine_prompt(model, text_prompt(n, seed=n)) for n in (3, 17, 33, 50)]
    alone = [answer_all(model, [prompt], [settings], None)[0].ids for prompt in prompts]
    running: dict[int, tuple[Request, int]] = {}
    done = 0
    for _ in range(400):
        if chance.random() < 0.2 and len(running) < 8:
            which = chance.randrange(len(prompts))
            request = engine.submit(engine.prepare(prompts[which], settings))
            running[request.number] = request, which
        if running and chance.random() < 0.03:
            engine.abort(running.pop(chance.choice(list(running)))[0])
        for update in engine.step():
            assert update.error is None
            if update.end is not None:
                request, which = running.pop(update.request.number)
                assert request.ids[request.num_prompt :] == alone[which]
                done += 1
        engine.check()
        assert set(speculator._states) <= set(running)
    assert done > 20
    for request, _ in running.values():
        engine.abort(request)
    assert not speculator._states
    assert not engine.counters.faults


def test_an_abort_between_drafts_disturbs_nobody() -> None:
    """Two requests whose last pass checked drafts; one is taken out, the other answers as ever."""
    model = loaded("moe")
    starts = [engine_prompt(model, text_prompt(n, seed=n)) for n in (13, 21)]
    alone = [answer_all(model, [start], [GREEDY], None)[0].ids for start in starts]
    source = Scripted(lambda tip, count: [(int(tip.ids[-1]) + 1) % 400] * count)
    speculator = VirtualTime(source)
    engine = open_engine(model, Limits(context=256), drafting=speculator)
    first, second = (engine.submit(engine.prepare(start, GREEDY)) for start in starts)
    while not speculator._states or not speculator._states[second.number].drafted:
        engine.step()
        engine.check()
    assert not first.is_over
    engine.abort(first)
    engine.check()
    assert set(speculator._states) == {second.number}
    assert first.speculation is not None  # what drafts did until then
    assert not first.table.num_blocks
    while not engine.is_idle:
        engine.step()
        engine.check()
    assert second.ids[second.num_prompt :] == alone[1]
    assert alone[0][: first.num_generated] == first.ids[first.num_prompt :]


class Grammar:
    """Allows the ids of one parity, then of the other: each token hangs on how many came before."""

    period = None

    def __init__(self) -> None:
        self.accepted: list[int] = []

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        """See `Constraint`."""
        allowed = torch.arange(logits.numel()) % 2 == len(self.accepted) % 2
        return torch.where(allowed, logits, -torch.inf)

    def accept(self, token: int) -> None:
        """See `Constraint`."""
        self.accepted.append(token)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_constraint_is_asked_once_for_each_token_whatever_is_drafted(temperature: float) -> None:
    """Of two requests in a batch one obeys a grammar; drafts are right, wrong, and of the wrong parity."""
    model, chance = loaded("moe"), random.Random(4)
    starts = [engine_prompt(model, text_prompt(n, seed=n)) for n in (13, 21)]
    settings = Sampling(temperature=temperature, top_k=30, seed=5, max_tokens=40)
    answers: list[list[int]] = []

    def run(drafting: VirtualTime | None) -> list[list[int]]:
        engine = open_engine(model, Limits(context=256), drafting=drafting)
        grammar = Grammar()
        requests = [
            engine.submit(engine.prepare(starts[0], settings, constraint=grammar)),
            engine.submit(engine.prepare(starts[1], settings)),
        ]
        while not engine.is_idle:
            assert all(update.error is None for update in engine.step())
            engine.check()
        found = [request.ids[request.num_prompt :] for request in requests]
        assert grammar.accepted == found[0]
        if drafting is not None:
            reports = [request.speculation for request in requests]
            assert all(0 < report.accepted < report.drafted for report in reports if report)
        return found

    def guess(tip: Tip, count: int) -> list[int]:
        which = 0 if tip.ids[1] == starts[0].ids[1] else 1
        done = tip.ids.shape[0] - starts[which].ids.numel()
        known = answers[which][done : done + count]
        return [token if chance.random() < 0.8 else (token + 1) % 400 for token in known]

    answers = run(None)
    assert [token % 2 for token in answers[0]] == [n % 2 for n in range(40)]
    assert run(VirtualTime(Scripted(guess))) == answers


def test_a_source_that_fails_costs_no_answer() -> None:
    model = loaded("moe")
    start = engine_prompt(model, text_prompt(13, seed=4))

    def fail(_tip: Tip, _count: int) -> list[int]:
        raise RuntimeError("the drafter's memory is gone\nand more lines")

    engine = open_engine(model, Limits(context=256), drafting=VirtualTime(Scripted(fail)))
    ids, request = answer(engine, start)
    assert request.state is RequestState.FINISHED
    assert ids == answer_all(model, [start], [GREEDY], None)[0].ids
    assert request.speculation is not None
    assert request.speculation.off_reason == (
        "drafting failed: RuntimeError: the drafter's memory is gone"
    )
    assert not engine.counters.faults
