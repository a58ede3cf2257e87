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

from gemma4.ops.sampling import candidates, penalize

LOGITS = torch.log(torch.tensor([0.1, 0.4, 0.2, 0.3]))


def keep(**settings: float) -> list[int]:
    chosen = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, **settings}
    ids, probabilities = candidates(LOGITS, **chosen)
    torch.testing.assert_close(probabilities.sum(), torch.tensor(1.0))
    return ids.tolist()


def test_nothing_asked_keeps_all_likeliest_first() -> None:
    assert keep() == [1, 3, 2, 0]


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
        generated_counts=None,
        repetition=2.0,
        presence=0.0,
        frequency=0.0,
    )
    assert out.tolist() == [1.0, -4.0, 1.0]


def test_presence_counts_once_and_frequency_each_time() -> None:
    out = penalize(
        torch.zeros(3),
        seen=torch.tensor([], dtype=torch.int64),
        generated_counts=torch.tensor([0.0, 1.0, 3.0]),
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
            generated_counts=None,
            repetition=repetition,
            presence=0.0,
            frequency=0.0,
        )
        ids, probabilities = candidates(
            penalized, temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p
        )
        found = torch.zeros(60).index_copy(0, ids, probabilities)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # float32
