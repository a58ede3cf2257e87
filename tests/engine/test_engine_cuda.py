"""The engine over the GPU's forward, whose kernels run in the interpreter: the ids of the torch engine.

float32; scores within 1e-4, for sums are ordered otherwise. Windows of 9 tokens leave pages of 32 behind.
Among the models are sharing layers with per-layer inputs, experts, and keys that are values.
"""

from collections.abc import Sequence
from itertools import chain

import torch
from cuda_engines import KERNELS, small_model
from speculated import Scripted, VirtualTime
from torch import Tensor

from gemma4.engine.drafting import Drafting
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.engine.speculation.source import Tip

LIMITS = Limits(context=96, max_requests=4, prefill_chunk=30)
TOLERANCE = 1e-4


def ids(length: int) -> Tensor:
    return torch.randint(1, 60, (length,), generator=torch.Generator().manual_seed(length))


def open_cuda(form: str, limits: Limits = LIMITS, **options: object) -> Engine:
    """With pages full of NaN, so that a lane that is read before it was written shows."""
    engine = open_engine(small_model(form), limits, kernels=KERNELS, **options)
    for pages in (*engine.storage.keys, *engine.storage.values):
        pages.fill_(torch.nan)
    return engine


def run(
    engine: Engine, lengths: Sequence[int], tokens: int = 3
) -> tuple[list[list[Choice]], list[Request]]:
    """All at once, to their ends."""
    sampling = Sampling(temperature=0.0, max_tokens=tokens, logprobs=2)
    requests = [
        engine.submit(engine.prepare(Prompt(ids=ids(length)), sampling)) for length in lengths
    ]
    found: dict[int, list[Choice]] = {request.number: [] for request in requests}
    while not engine.is_idle:
        for update in engine.step():
            assert update.error is None, update.error
            found[update.request.number].extend(update.choices)
        engine.check()
    assert engine.counters.faults == 0, engine.counters.last_fault
    return list(found.values()), requests


def alone(form: str, lengths: Sequence[int], tokens: int = 3) -> list[list[Choice]]:
    """The torch engine's answers, one by one."""
    model = small_model(form)
    return [run(open_engine(model, LIMITS), [length], tokens)[0][0] for length in lengths]


def assert_same(found: list[list[Choice]], expected: list[list[Choice]]) -> None:
    answers = [[[choice.id for choice in one] for one in side] for side in (found, expected)]
    assert answers[0] == answers[1]
    for ours, theirs in zip(chain(*found), chain(*expected), strict=True):
        scores = [torch.tensor([score for _, score in choice.top]) for choice in (ours, theirs)]
        torch.testing.assert_close(*scores, rtol=0, atol=TOLERANCE)


def test_company_chunks_and_the_cache_change_no_answer() -> None:
    """A chunk of 30 tokens; the rest and a second prompt in one step; then all of it from the cache."""
    engine, lengths = open_cuda("e_series"), (34, 5)
    expected = alone("e_series", lengths)
    assert_same(run(engine, lengths)[0], expected)
    cached, requests = run(engine, lengths)
    assert_same(cached, expected)
    assert [request.cached_tokens for request in requests] == [32, 0]


def test_preemption_changes_no_answer() -> None:
    """Two prompts of a page each and room for three: the second begins again when the first is done."""
    engine = open_cuda("dense", Limits(context=96, prefill_chunk=64), num_pages=[3, 3])
    found, requests = run(engine, (32, 31))
    assert_same(found, alone("dense", (32, 31)))
    assert [request.preemptions for request in requests] == [0, 1]


def test_aborted_in_any_phase_the_others_go_on() -> None:
    engine = open_cuda("dense", Limits(context=96, max_requests=3, prefill_chunk=12))
    sampling = Sampling(temperature=0.0, max_tokens=3, logprobs=2)
    kept, decoding, reading, waiting = (
        engine.submit(engine.prepare(Prompt(ids=ids(length)), sampling)) for length in (4, 3, 40, 7)
    )
    engine.abort(waiting)
    found: list[Choice] = []
    for aborted in (None, decoding, reading):
        if aborted is not None:
            assert aborted.table.length > 0
            engine.abort(aborted)
        for update in engine.step():
            found += update.choices if update.request is kept else ()
        engine.check()
    assert engine.is_idle
    assert engine.counters.pages_held == (0, 0)
    assert_same([found], alone("dense", [4]))


def test_drafts_change_no_answer() -> None:
    """Right ones and wrong ones, checked in the steps that would have decoded them."""
    tokens = 7
    plain = alone("moe", [6], tokens)
    known = [choice.id for choice in plain[0]]

    def guess(tip: Tip, count: int) -> list[int]:
        done = tip.ids.shape[0] - 6
        return [token if n % 3 != 2 else token + 1 for n, token in enumerate(known)][
            done : done + count
        ]

    drafting: Drafting = VirtualTime(Scripted(guess))
    found, requests = run(open_cuda("moe", drafting=drafting), [6], tokens)
    assert_same(found, plain)
    report = requests[0].speculation
    assert report is not None
    assert 0 < report.accepted < report.drafted
