"""What goes wrong with one request leaves the others alone: aborts, refusals, errors. A fake model."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from fake_forward import VOCAB, expected_answer, fake_engine, fake_forward

from gemma4.engine import packing
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request, RequestState
from gemma4.engine.sampling import Sampling
from gemma4.engine.scheduler import Slice
from gemma4.errors import ContextError, EnvironmentFault, VerificationError
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output
from gemma4.model.paged_kv import PagedKV

LIMITS = Limits(context=400, max_requests=4, prefill_chunk=64)
POISON = 31


def ids_of(length: int, seed: int = 0) -> list[int]:
    return [(seed + 7 * i * i + 3 * i) % (VOCAB - 1) for i in range(length)]


def submit(engine: Engine, ids: list[int], budget: int = 20) -> Request:
    settings = Sampling(temperature=0.0, max_tokens=budget, loop_guard=False)
    return engine.submit(engine.prepare(Prompt(ids=torch.tensor(ids)), settings))


def finish(engine: Engine) -> None:
    for _ in range(2000):
        if engine.is_idle:
            return
        engine.step()
        engine.check()
    raise AssertionError("the engine does not come to an end")


def answer_of(request: Request) -> list[int]:
    return request.ids[request.num_prompt :]


@pytest.mark.parametrize(
    "phase", ["new", "waiting", "reading", "decoding", "preempted", "finished"]
)
def test_an_abort_frees_pages_at_once_in_every_phase(phase: str) -> None:
    engine = fake_engine((14, 14), replace(LIMITS, max_requests=2))
    other = submit(engine, ids_of(150), budget=100)
    settings = Sampling(temperature=0.0, max_tokens=100, loop_guard=False)
    request = engine.prepare(Prompt(ids=torch.tensor(ids_of(170, seed=5))), settings)
    if phase != "new":
        engine.submit(request)
    reached = {
        "new": lambda: True,
        "waiting": lambda: request.state is RequestState.WAITING,
        "reading": lambda: 0 < request.table.length < request.num_prompt,
        "decoding": lambda: request.num_generated == 5,
        "preempted": lambda: request.preemptions == 1,
        "finished": lambda: request.is_over,
    }[phase]
    while not reached():
        engine.step()
    engine.abort(request)
    engine.check()
    assert request.is_over
    held = engine.counters.pages_held
    assert held == tuple(
        sum(page >= 0 for page in pages) for pages in other.table.pages
    )  # only the other's
    finish(engine)
    assert answer_of(other) == expected_answer(ids_of(150), 100)
    assert engine.counters.pages_held == (0, 0)
    engine.abort(request)  # once more does nothing
    engine.check()


@pytest.mark.parametrize("pages", [(10, 10), (40, 13)])
def test_eight_that_fit_alone_and_not_together_are_all_answered(pages: tuple[int, int]) -> None:
    """Pages for one request of the whole context, or for little more: none is refused, none is lost."""
    limits = Limits(context=320, max_requests=8, prefill_chunk=64)
    engine = fake_engine(pages, limits)
    assert engine.tokens_together >= limits.context
    prompts = [ids_of(200 + 13 * n, seed=n) for n in range(8)]
    requests = []
    for ids in prompts:  # as people come, while others are answered
        requests.append(submit(engine, ids, budget=320))
        for _ in range(5):
            engine.step()
            engine.check()
    finish(engine)
    for request, ids in zip(requests, prompts, strict=True):
        assert request.state is RequestState.FINISHED
        assert answer_of(request) == expected_answer(ids, 320 - len(ids))
    assert engine.counters.preemptions or engine.counters.running == 0
    assert engine.counters.faults == 0


def test_a_refusal_disturbs_nobody_who_runs() -> None:
    """What can never fit is told so at once, with the numbers, while others go on."""
    engine = fake_engine((14, 8), LIMITS)
    running = [submit(engine, ids_of(60, seed=n), budget=30) for n in range(2)]
    for _ in range(6):
        engine.step()
    with pytest.raises(ContextError, match=r"need 10 pages .* in full layers and there are 8"):
        submit(engine, ids_of(200), budget=100)
    with pytest.raises(ContextError, match=r"holds 400 of one request \(pages hold 256 of all"):
        submit(engine, ids_of(500))
    engine.check()
    finish(engine)
    for n, request in enumerate(running):
        assert answer_of(request) == expected_answer(ids_of(60, seed=n), 30)
        assert request.preemptions == 0


def test_out_of_pages_requests_queue_and_all_are_answered() -> None:
    engine = fake_engine((10, 10), LIMITS)
    requests = [submit(engine, ids_of(200, seed=n), budget=60) for n in range(5)]
    engine.step()
    assert (engine.counters.running, engine.counters.waiting) == (1, 4)
    finish(engine)
    for n, request in enumerate(requests):
        assert answer_of(request) == expected_answer(ids_of(200, seed=n), 60)


def test_what_can_never_fit_is_refused_with_the_numbers() -> None:
    engine = fake_engine((14, 8), LIMITS)
    with pytest.raises(
        ContextError, match="200 tokens of prompt and up to 100 of answer"
    ) as caught:
        submit(engine, ids_of(200), budget=100)
    assert "need 10 pages of keys and values in full layers and there are 8, of 32" in str(
        caught.value
    )
    assert "lower max_tokens" in str(caught.value)
    assert (caught.value.needed, caught.value.limit) == (300, 256)
    submit(engine, ids_of(200), budget=56)
    finish(engine)
    narrow = fake_engine((3, 20), LIMITS)
    with pytest.raises(ContextError, match="need 5 pages of keys and values in sliding layers"):
        submit(narrow, ids_of(200), budget=1)


def test_more_than_the_context_is_refused() -> None:
    engine = fake_engine((14, 14), LIMITS)
    with pytest.raises(ContextError, match="the prompt has 400 tokens and the context holds 400"):
        submit(engine, ids_of(400))
    assert engine.is_idle


def test_a_full_queue_refuses_and_loses_nothing() -> None:
    engine = fake_engine((14, 14), replace(LIMITS, max_waiting=2))
    requests = [submit(engine, ids_of(20, seed=n)) for n in range(2)]
    with pytest.raises(EnvironmentFault, match="2 requests wait and the limit is 2; try again"):
        submit(engine, ids_of(20, seed=2))
    finish(engine)
    assert all(request.state is RequestState.FINISHED for request in requests)


def fails_on_poison(batch: Batch) -> Output:
    if POISON in batch.ids.tolist():
        raise RuntimeError("a kernel broke")
    return fake_forward(batch)


def nan_on_poison(batch: Batch) -> Output:
    output = fake_forward(batch)
    ends = torch.tensor(batch.lengths).cumsum(0) - 1
    for row, end in enumerate(ends.tolist()):
        if batch.ids[end] == POISON:
            output.logits[row] = torch.nan
    return output


@pytest.mark.parametrize(
    ("forward", "error", "faults"),
    [(fails_on_poison, RuntimeError, 2), (nan_on_poison, VerificationError, 0)],
)
def test_an_error_of_one_request_leaves_the_others_alone(forward, error, faults: int) -> None:
    """A pass that breaks is run again request by request: 2 faults, the batch's and the guilty's."""
    harmless = [ids for ids in map(ids_of, range(9, 40)) if POISON not in expected_answer(ids, 20)]
    prompts = [harmless[0], [*ids_of(12, seed=1), POISON], harmless[1]]
    engine = fake_engine((14, 14), LIMITS, forward=forward)
    requests = [submit(engine, ids) for ids in prompts]
    errors = []
    while not engine.is_idle:
        errors += [update.error for update in engine.step() if update.error is not None]
        engine.check()
    assert [type(found) for found in errors] == [error]
    assert [request.state for request in requests] == [
        RequestState.FINISHED, RequestState.FAILED, RequestState.FINISHED,
    ]  # fmt: skip
    assert requests[1].error is errors[0]
    for index in (0, 2):
        assert answer_of(requests[index]) == expected_answer(prompts[index], 20)
    assert engine.counters.faults == faults
    assert engine.counters.pages_held == (0, 0)


def test_a_pass_that_only_fails_in_company_is_counted() -> None:
    def forward(batch: Batch) -> Output:
        if len(batch.lengths) > 1:
            raise MemoryError("too many rows")
        return fake_forward(batch)

    engine = fake_engine((14, 14), LIMITS, forward=forward)
    requests = [submit(engine, ids_of(9, seed=n), budget=3) for n in range(2)]
    finish(engine)
    for n, request in enumerate(requests):
        assert answer_of(request) == expected_answer(ids_of(9, seed=n), 3)
    assert (engine.counters.faults, engine.counters.last_fault) == (3, "MemoryError: too many rows")


def test_soft_tokens_that_cannot_be_joined_are_read_one_request_at_a_time() -> None:
    """Of two widths, as of two models; or where memory ends."""
    engine = fake_engine((14, 14), LIMITS)
    requests = []
    for width in (1, 2):
        prompt = Prompt(
            ids=torch.tensor(ids_of(12)),
            soft_rows=torch.tensor([3, 4]),
            soft_tokens=torch.full((2, width), 9.0),
            media=((b"medium %d" % width, 2),),
        )
        settings = Sampling(temperature=0.0, max_tokens=4, loop_guard=False)
        requests.append(engine.submit(engine.prepare(prompt, settings)))
    finish(engine)
    seen = [*ids_of(12)[:3], 9, 9, *ids_of(12)[5:]]
    assert [answer_of(request) for request in requests] == [expected_answer(seen, 4)] * 2
    assert engine.counters.faults == 1
    assert str(engine.counters.last_fault).startswith("RuntimeError: Sizes of tensors must match")


def test_a_request_that_cannot_be_packed_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def pack(slices: Sequence[Slice], kv: PagedKV) -> Batch:
        if any(POISON in part.request.ids for part in slices):
            raise MemoryError("no room to join them")
        return packing.pack(slices, kv)

    monkeypatch.setattr("gemma4.engine.engine.pack", pack)
    engine = fake_engine((14, 14), LIMITS)
    prompts = [ids for ids in map(ids_of, range(9, 40)) if POISON not in expected_answer(ids, 20)]
    harmless = submit(engine, prompts[0])
    guilty = submit(engine, [*ids_of(12, seed=1), POISON])
    finish(engine)
    assert guilty.state is RequestState.FAILED
    assert isinstance(guilty.error, MemoryError)
    assert answer_of(harmless) == expected_answer(prompts[0], 20)
    assert (engine.counters.faults, engine.counters.pages_held) == (2, (0, 0))
