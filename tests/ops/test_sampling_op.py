"""Filters on hand-made distributions."""

import itertools

import pytest
import torch
from transformers import LogitsProcessorList
from transformers.generation.logits_process import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from gemma4.ops.sampling import candidates, draw, exponentials, penalize

NO_IDS = torch.tensor([], dtype=torch.int64)
LOGITS = torch.log(torch.tensor([0.1, 0.4, 0.2, 0.3]))


def keep(**settings: float) -> list[int]:
    chosen = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **settings}
    ids, probabilities = candidates(LOGITS, **chosen)
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0))
    return ids.tolist()


def test_nothing_asked_keeps_all_as_they_come() -> None:
    assert keep() == [0, 1, 2, 3]


def test_top_k_keeps_k() -> None:
    assert keep(top_k=2) == [1, 3]
    assert keep(top_k=99) == [1, 3, 2, 0]


def test_top_p_keeps_the_least_set_that_reaches_it() -> None:
    assert keep(top_p=0.4) == [1]
    assert keep(top_p=0.41) == [1, 3]
    assert keep(top_p=0.0) == [1]


def test_min_p_is_relative_to_the_likeliest() -> None:
    assert keep(min_p=0.6) == [1, 3]
    assert keep(min_p=1.0) == [1]


def test_temperature_sharpens_before_the_filters() -> None:
    # at temperature 0.5 the probabilities are squared: 0.16, 0.09, 0.04, 0.01 of 0.30
    assert keep(temperature=0.5, top_p=0.6) == [1, 3]


def test_repetition_divides_what_is_positive_and_multiplies_what_is_negative() -> None:
    out = penalize(
        torch.tensor([2.0, -2.0, 1.0]),
        seen=torch.tensor([0, 1]),
        generated=NO_IDS,
        counts=torch.empty(0),
        repetition=2.0,
        presence=0.0,
        frequency=0.0,
    )
    assert out.tolist() == [1.0, -4.0, 1.0]


def test_presence_counts_once_and_frequency_each_time() -> None:
    out = penalize(
        torch.zeros(3),
        seen=NO_IDS,
        generated=torch.tensor([1, 2]),
        counts=torch.tensor([1.0, 3.0]),
        repetition=1.0,
        presence=0.5,
        frequency=0.25,
    )
    assert out.tolist() == [0.0, -0.75, -1.25]


@pytest.mark.parametrize("repetition", [0.7, 1.0, 1.3])
def test_penalties_and_filters_in_the_order_of_transformers(repetition: float) -> None:
    torch.manual_seed(0)
    seen = torch.randint(0, 60, (1, 9))
    for temperature, top_k, top_p, min_p in itertools.product(
        (0.5, 1.5), (0, 1, 20), (0.05, 0.9, 1.0), (0.0, 0.1)
    ):
        logits = 4 * torch.randn(60)
        steps = LogitsProcessorList([RepetitionPenaltyLogitsProcessor(repetition)])
        steps.append(TemperatureLogitsWarper(temperature))
        steps += [TopKLogitsWarper(top_k)] if top_k else []
        steps += [TopPLogitsWarper(top_p), MinPLogitsWarper(min_p)]
        expected = steps(seen, logits[None].clone())[0].softmax(-1)
        penalized = penalize(
            logits,
            seen=seen[0].unique(),
            generated=NO_IDS,
            counts=torch.empty(0),
            repetition=repetition,
            presence=0.0,
            frequency=0.0,
        )
        ids, probabilities = candidates(
            penalized, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p
        )
        found = torch.zeros(60).index_copy(0, ids, probabilities)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # float32


def test_draws_follow_the_probabilities_over_steps_and_over_seeds() -> None:
    """Chi-square of 6,000 draws from 5 ids, 4 degrees of freedom: above 23.5 once in 10,000 times."""
    ids = torch.tensor([7, 0, 262_143, 3, 100_000])
    probabilities = torch.tensor([0.5, 0.25, 0.15, 0.09, 0.01])
    count = 6000
    for drawn in (
        [draw(ids, probabilities, seed=3, step=step) for step in range(count)],
        [draw(ids, probabilities, seed=seed, step=3) for seed in range(count)],
    ):
        found = (torch.tensor(drawn)[:, None] == ids).sum(0)
        expected = probabilities * count
        assert float(((found - expected) ** 2 / expected).sum()) < 23.5


def test_steps_and_seeds_are_independent_of_each_other() -> None:
    """65,536 times of one step against those of the next, and of the next seed: |r| < 5/√n."""
    ids = torch.arange(65_536)
    rows = [exponentials(ids, seed=seed, step=step) for seed, step in ((9, 0), (9, 1), (10, 0))]
    correlation = torch.corrcoef(torch.stack(rows)) - torch.eye(3, dtype=torch.float64)
    assert float(correlation.abs().max()) < 5 / 256
    assert all(abs(float(row.mean()) - 1.0) < 5 / 256 for row in rows)


@pytest.mark.parametrize("seed", [0, -1, -(2**63), 2**63, 2**64 - 1])
def test_every_seed_of_64_bits_draws(seed: int) -> None:
    times = exponentials(torch.arange(100), seed=seed, step=2**40)
    assert bool((times > 0).all() & times.isfinite().all())


def test_distributions_that_are_alike_draw_alike() -> None:
    """The share of equal draws is Σ_j 1 / Σ_i max(p_i/p_j, q_i/q_j); 5,000 draws, 4 deviations."""
    ids = torch.arange(4)
    p, q = torch.tensor([0.4, 0.3, 0.2, 0.1]), torch.tensor([0.3, 0.4, 0.1, 0.2])
    ratios = torch.maximum(p[:, None] / p, q[:, None] / q)
    expected = float((1 / ratios.sum(0)).sum())
    count = 5000
    equal = sum(
        draw(ids, p, seed=1, step=step) == draw(ids, q, seed=1, step=step) for step in range(count)
    )
    assert abs(equal / count - expected) < 4 * (expected * (1 - expected) / count) ** 0.5
