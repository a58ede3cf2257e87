"""The best of many scores: what a whole sort gives, ties included, and how little of it is done."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from gemma4.ops import likeliest
from gemma4.ops.likeliest import descending, largest
from gemma4.ops.sampling import candidates

VOCABULARY = 262_144


def scattered(size: int, *, seed: int, spread: float, decimals: int, allowed: float) -> Tensor:
    """Scores with as many ties as rounding makes; what is not allowed is −inf, one is always allowed."""
    generator = torch.Generator().manual_seed(seed)
    scores = (spread * torch.randn(size, generator=generator)).round(decimals=decimals)
    forbidden = torch.rand(size, generator=generator) > allowed
    forbidden[seed % size] = False
    return scores.masked_fill(forbidden, -torch.inf)


def by_sorting(
    logits: Tensor, *, temperature: float, top_p: float, min_p: float
) -> tuple[Tensor, Tensor]:
    """The reference: all tokens sorted, all probabilities added up from the likeliest down."""
    values, ids = logits.sort(descending=True, stable=True)
    odds = ((values - values[0]) / temperature).exp()
    probabilities = odds / odds.double().sum().float()
    before = (probabilities.double().cumsum(0) - probabilities.double()).float()
    keep = (before < top_p) & (probabilities >= min_p * probabilities[0])
    keep[0] = True
    return ids[keep], probabilities[keep] / probabilities[keep].sum()


@settings(max_examples=300, deadline=None)
@given(
    size=st.integers(1, 20_000),
    seed=st.integers(0, 2**32),
    spread=st.floats(0.01, 20.0),
    decimals=st.integers(0, 6),
    allowed=st.sampled_from((0.001, 0.5, 1.0)),
    temperature=st.floats(0.05, 3.0),
    top_p=st.floats(0.0, 1.0, exclude_max=True),
    min_p=st.sampled_from((0.0, 0.01, 1.0)),
)
def test_top_p_keeps_what_a_whole_sort_keeps(
    size: int,
    seed: int,
    spread: float,
    decimals: int,
    allowed: float,
    temperature: float,
    top_p: float,
    min_p: float,
) -> None:
    """The same ids in the same order, and the same probabilities: exact, float32."""
    logits = scattered(size, seed=seed, spread=spread, decimals=decimals, allowed=allowed)
    filters = {"temperature": temperature, "top_p": top_p, "min_p": min_p}
    ids, probabilities = candidates(logits, top_k=0, **filters)
    wanted_ids, wanted = by_sorting(logits, **filters)
    assert torch.equal(ids, wanted_ids)
    assert torch.equal(probabilities, wanted)


@pytest.mark.parametrize("top_p", [0.1, 0.5, 0.9, 0.95, 0.99, 0.9999, 0.999_999, 1 - 2**-53])
@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
def test_top_p_of_a_whole_vocabulary(top_p: float, spread: float) -> None:
    logits = scattered(VOCABULARY, seed=7, spread=spread, decimals=2, allowed=1.0)
    ids, _ = candidates(logits, temperature=1.0, top_k=0, top_p=top_p, min_p=0.0)
    assert torch.equal(ids, by_sorting(logits, temperature=1.0, top_p=top_p, min_p=0.0)[0])


def test_few_of_a_vocabulary_are_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores as a model gives them: some likely tokens above a long tail."""
    logits = torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(0))
    logits[1000:1100] += torch.linspace(16, 8, 100)
    sizes = []

    def counted(scores: Tensor) -> Tensor:
        sizes.append(len(scores))
        return descending(scores)

    monkeypatch.setattr(likeliest, "descending", counted)
    ids, _ = candidates(logits, temperature=1.0, top_k=0, top_p=0.95, min_p=0.0)
    assert sizes
    assert sum(sizes) < VOCABULARY // 50
    assert torch.equal(ids, by_sorting(logits, temperature=1.0, top_p=0.95, min_p=0.0)[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_order_is_that_of_a_stable_sort(dtype: torch.dtype) -> None:
    """Zeros of both signs are equal; infinities and the smallest numbers have their place."""
    odd = [0.0, -0.0, math.inf, -math.inf, 1e-45, -1e-45, 3.4e38, -3.4e38, 1.0, -1.0]
    scores = torch.tensor(odd * 3, dtype=dtype)
    assert torch.equal(descending(scores), scores.sort(descending=True, stable=True).indices)
    assert not len(descending(scores[:0]))


@pytest.mark.parametrize("size", [5, 8191, 8192, 70_001])
@pytest.mark.parametrize("allowed", [None, 3, 500])
@pytest.mark.parametrize("count", [1, 5, 64])
def test_the_largest_are_those_of_a_sort(size: int, allowed: int | None, count: int) -> None:
    """Scores with many ties, all allowed or few; exact."""
    torch.manual_seed(size + count)
    scores = (4 * torch.randn(size)).round(decimals=1)
    if allowed is not None:
        forbidden = torch.ones(size, dtype=torch.bool)
        forbidden[torch.randperm(size)[:allowed]] = False
        scores[forbidden] = -torch.inf
    values, ids = largest(scores, min(count, size))
    order = sorted(range(size), key=lambda i: (-float(scores[i]), i))[:count]
    finite = [i for i in order if scores[i] > -torch.inf]
    assert ids.tolist()[: len(finite)] == finite
    assert len(finite) <= ids.numel() <= count
    assert torch.equal(values, scores[ids])
