"""The engine over native kernels: the same bits alone, among strangers, in chunks, preempted, cached.

float16 and 8-bit pages; scores are compared exactly, for a row is summed in one order whatever the batch.
"""

from dataclasses import replace

import pytest
import torch
from native_models import SIZES, random_model

from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.kernels.native import Native, find_native

LIMITS = Limits(context=512, max_requests=8)
GREEDY = Sampling(temperature=0.0, max_tokens=10, logprobs=2)
LENGTHS = (62, 63, 61, 9, 140)


def prompt(length: int) -> Prompt:
    return Prompt(
        ids=torch.randint(1, 500, (length,), generator=torch.Generator().manual_seed(length))
    )


def open_native(size: str, kv_dtype: torch.dtype, limits: Limits = LIMITS, **options: object):
    native = find_native(num_threads=1)
    assert isinstance(native, Native), native
    return open_engine(random_model(size), limits, kv_dtype=kv_dtype, kernels=native, **options)


def answers(engine, lengths=LENGTHS) -> tuple[list[tuple[Choice, ...]], list[Request]]:
    requests = [engine.submit(engine.prepare(prompt(length), GREEDY)) for length in lengths]
    found: dict[int, tuple[Choice, ...]] = {request.number: () for request in requests}
    while not engine.is_idle:
        for update in engine.step():
            assert update.error is None, update.error
            found[update.request.number] += update.choices
        engine.check()
    assert engine.counters.faults == 0
    return list(found.values()), requests


@pytest.mark.parametrize("kv_dtype", [torch.float16, torch.int8])
@pytest.mark.parametrize("size", SIZES)
def test_nothing_around_a_request_changes_a_bit(size: str, kv_dtype: torch.dtype) -> None:
    expected = [answers(open_native(size, kv_dtype), [length])[0][0] for length in LENGTHS]
    together = open_native(size, kv_dtype)
    assert answers(together)[0] == expected
    cached, requests = answers(together)
    assert cached == expected
    assert [request.cached_tokens for request in requests] == [32, 32, 32, 0, 128]
    chunked = open_native(size, kv_dtype, replace(LIMITS, prefill_chunk=23))
    assert answers(chunked)[0] == expected
    crowded = open_native(size, kv_dtype, num_pages=[7, 7])
    assert answers(crowded)[0] == expected
    assert crowded.counters.preemptions > 0


class ThreadWatch:
    """A constraint that forbids nothing and notes how many threads torch has."""

    period = None

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def restrict(self, logits: torch.Tensor) -> torch.Tensor:
        self.seen.add(torch.get_num_threads())
        return logits

    def accept(self, token: int) -> None:
        pass


def test_torch_keeps_to_one_thread_beside_the_kernels_threads() -> None:
    engine = open_native("e2b", torch.float16)
    before, watch = torch.get_num_threads(), ThreadWatch()
    torch.set_num_threads(2)
    try:
        engine.submit(engine.prepare(prompt(9), GREEDY, constraint=watch))
        while not engine.is_idle:
            engine.step()
        assert watch.seen == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
