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
