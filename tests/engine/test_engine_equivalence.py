"""Greedy answers are the same alone, among strangers, in chunks, after preemption, and from the cache.

float32 pages; scores within 1e-4 of each other, for matrices of other heights are summed in another
order. The tiny models have a window of 8 tokens, so that pages of 32 leave it behind.
"""

import random
from dataclasses import replace

import pytest
import torch
from tiny_loaded import engine_prompt, loaded
from tiny_media import prompt, random_audio, random_image, text_prompt

from gemma4.config import plan_kv_groups
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.engine.open_engine import open_engine
from gemma4.engine.prompt import Prompt
from gemma4.engine.request import Request
from gemma4.engine.sampler import Choice
from gemma4.engine.sampling import Sampling
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output
from gemma4.model.paged_kv import PageStorage

KINDS = ["e_series", "moe", "dense31", "unified", "gemma3_text"]
GREEDY = Sampling(temperature=0.0, max_tokens=12, logprobs=3)
LIMITS = Limits(context=512, max_requests=8)
TOLERANCE = 1e-4


def cases(kind: str) -> list[Prompt]:
    """Prompts of several pages, with pictures and sound where the model takes them."""
    parts = [text_prompt(length, seed=length) for length in (9, 70, 100)]
    if kind != "gemma3_text":
        pictures = [random_image(kind, columns=5, rows=4, seed=seed) for seed in (1, 2)]
        parts.append(prompt(*range(20, 45), pictures[0], *range(60, 90), pictures[1], 9, 8))
    if kind in ("e_series", "unified"):
        parts.append(prompt(*range(30, 60), random_audio(kind, frames=40), *range(40)))
    return [engine_prompt(loaded(kind), part) for part in parts]


def run(engine: Engine, prompts: list[Prompt]) -> tuple[list[list[Choice]], list[Request]]:
    """All at once, to their ends."""
    requests = [engine.submit(engine.prepare(one, GREEDY)) for one in prompts]
    found: dict[int, list[Choice]] = {request.number: [] for request in requests}
    while not engine.is_idle:
        for update in engine.step():
            assert update.error is None
            found[update.request.number].extend(update.choices)
        engine.check()
    assert engine.counters.faults == 0
    return list(found.values()), requests


def alone(kind: str, prompts: list[Prompt]) -> list[list[Choice]]:
    return [run(open_engine(loaded(kind), LIMITS), [one])[0][0] for one in prompts]


def assert_same(found: list[list[Choice]], expected: list[list[Choice]]) -> None:
    for ours, theirs in zip(found, expected, strict=True):
        assert [choice.id for choice in ours] == [choice.id for choice in theirs]
        for one, other in zip(ours, theirs, strict=True):
            scores = [torch.tensor([score for _, score in choice.top]) for choice in (one, other)]
            torch.testing.assert_close(*scores, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_company_chunks_preemption_and_the_cache_change_nothing(kind: str) -> None:
    prompts = cases(kind)
    expected = alone(kind, prompts)

    together = open_engine(loaded(kind), LIMITS)
    assert_same(run(together, prompts)[0], expected)

    cached, requests = run(together, prompts)  # a second time, from the pages of the first
    assert_same(cached, expected)
    known = [request.cached_tokens for request in requests]
    assert known[0] == 0  # less than a page
    assert all(tokens % 32 == 0 and tokens >= 32 for tokens in known[1:])
    assert all(request.cached_tokens < request.num_prompt for request in requests)

    sizes = random.Random(kind)
    for chunk in (3, sizes.randrange(5, 30), sizes.randrange(30, 90)):
        chunked = open_engine(loaded(kind), replace(LIMITS, prefill_chunk=chunk))
        assert_same(run(chunked, prompts)[0], expected)


@pytest.mark.parametrize("kind", KINDS)
def test_preemption_changes_nothing(kind: str) -> None:
    """Prompts that just fit together and whose answers do not."""
    prompts = [engine_prompt(loaded(kind), text_prompt(n, seed=n)) for n in (30, 61, 62, 31, 63)]
    expected = alone(kind, prompts)
    engine = open_engine(loaded(kind), LIMITS, num_pages=[9] * 2)
    found, requests = run(engine, prompts)
    assert_same(found, expected)
    assert engine.counters.preemptions == sum(request.preemptions for request in requests) >= 2
    assert requests[0].preemptions == 0  # who came first gets on


def test_preempted_in_the_middle_of_pictures() -> None:
    kind = "moe"
    pictures = [random_image(kind, columns=6, rows=5, seed=seed) for seed in range(4)]
    prompts = [
        engine_prompt(loaded(kind), prompt(*range(20, 28), picture, *range(50, 72)))
        for picture in pictures
    ]
    assert {one.ids.numel() for one in prompts} == {63}
    expected = alone(kind, prompts)
    engine = open_engine(loaded(kind), replace(LIMITS, prefill_chunk=40), num_pages=[8, 8])
    assert_same(run(engine, prompts)[0], expected)
    assert engine.counters.preemptions > 0


@pytest.mark.parametrize(
    ("dtype", "bound"), [(torch.float16, 1e-3), (torch.bfloat16, 2e-3), (torch.int8, 5e-3)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_narrow_pages_stay_within_their_bounds(kind: str, dtype: torch.dtype, bound: float) -> None:
    """KL divergence of the next token behind 100, in nats; eight bits may lead to other experts."""
    exact = next_token_scores(kind, torch.float32).log_softmax(-1)
    narrow = next_token_scores(kind, dtype).log_softmax(-1)
    divergence = float((exact.exp() * (exact - narrow)).sum())
    assert 0 < divergence < bound * (10 if kind == "moe" and dtype is torch.int8 else 1)


def next_token_scores(kind: str, kv_dtype: torch.dtype) -> torch.Tensor:
    """Logits [V] behind a prompt of five chunks."""
    model, rows = loaded(kind), []

    def forward(batch: Batch) -> Output:
        rows.append(model(batch))
        return rows[-1]

    groups = plan_kv_groups(model.decoder.specs)
    storage = PageStorage(groups, [8] * len(groups), dtype=kv_dtype, device=model.device)
    limits = Limits(context=256, prefill_chunk=20)
    engine = Engine(forward, storage, vocab_size=512, limits=limits)
    run(engine, [engine_prompt(model, text_prompt(100, seed=1))])
    return rows[4].logits[0]


def test_the_same_ids_with_another_picture_are_not_taken_from_the_cache() -> None:
    model = loaded("moe")
    engine = open_engine(model, LIMITS)

    def ask(seed: int) -> Request:
        picture = random_image("moe", columns=6, rows=6, seed=seed)
        whole = engine_prompt(model, prompt(*range(20, 60), picture, *range(40)))
        return run(engine, [whole])[1][0]

    assert ask(1).cached_tokens == 0
    assert ask(2).cached_tokens == 32  # up to the page in which the picture begins
    assert ask(1).cached_tokens == 96


def test_a_prefix_never_ends_inside_a_picture_that_is_seen_both_ways() -> None:
    model = loaded("moe")
    engine = open_engine(model, LIMITS)
    picture = random_image("moe", columns=8, rows=5)
    # The picture fills positions 22 to 61.
    run(engine, [engine_prompt(model, prompt(*range(20, 40), picture, *range(9)))])
    longer = run(engine, [engine_prompt(model, prompt(*range(20, 40), picture, *range(60)))])[1][0]
    assert longer.cached_tokens == 64
    # The first page alone would end inside the picture.
    other = engine_prompt(
        model, prompt(*range(20, 40), random_image("moe", columns=8, rows=5, seed=9))
    )
    requests = [run(engine, [other])[1][0] for _ in range(2)]
    assert [request.num_prompt for request in requests] == [63, 63]
    assert [request.cached_tokens for request in requests] == [0, 0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_turn_without_the_first_ones_thought_goes_on_at_the_prompt(kind: str) -> None:
    """Eight sliding pages, and a thought of 300 tokens that left the prompt's window forty windows behind."""
    model = loaded(kind)
    limits = Limits(context=640, max_requests=1, prefill_chunk=64)
    engine = open_engine(model, limits, num_pages=(8, 20))
    first = engine_prompt(model, text_prompt(200, seed=7))
    thinks = replace(GREEDY, max_tokens=320, loop_guard=False)
    request = engine.submit(engine.prepare(first, thinks))
    while not engine.is_idle:
        engine.step()
        engine.check()
    answer = request.ids[-20:]  # the thought before it is left out
    second = Prompt(ids=torch.cat((first.ids, torch.tensor([*answer, 5, 6, 7]))))
    found, [follower] = run(engine, [second])
    assert follower.cached_tokens == 192  # every whole page of the first prompt
    assert_same(found, alone(kind, [second]))
