"""Divergence of logits: figures worked out by hand, and what must not pass for equal."""

import math

import pytest
import torch

from gemma4.errors import VerificationError
from gemma4.verify.divergence import diverge
from gemma4.verify.tolerance import QUANTIZED, SAME_NUMBERS, with_limits


def test_equal_logits_do_not_diverge() -> None:
    logits = torch.randn(20, 50, generator=torch.Generator().manual_seed(0))
    found = diverge(logits, logits, threshold=0.0)
    assert (found.rows, found.largest, found.relative, found.top1) == (20, 0.0, 0.0, 1.0)
    assert (found.kl_mean, found.kl_max, found.first_row) == (0.0, 0.0, None)


def test_figures_are_those_worked_out_by_hand() -> None:
    """Row 0: the same. Row 1: (3/4, 1/4) against (1/2, 1/2)."""
    reference = torch.tensor([[1.0, -4.0], [math.log(3.0), 0.0]])
    found = torch.tensor([[1.0, -4.0], [-1.0, -1.0]])
    figures = diverge(found, reference, threshold=0.2)
    expected = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert figures.kl_max == pytest.approx(expected, rel=1e-6)  # float64 of float32 logits
    assert figures.kl_mean == pytest.approx(expected / 2, rel=1e-6)
    assert figures.largest == pytest.approx(math.log(3.0) + 1, rel=1e-6)  # float32
    assert figures.relative == pytest.approx((math.log(3.0) + 1) / 4, rel=1e-6)
    assert figures.top1 == 1.0  # both rows: the first token, ties going to it
    assert figures.first_row == 1


def test_kl_weighs_by_the_reference() -> None:
    """A token that the reference holds impossible costs nothing; the reverse costs much."""
    sure, unsure = torch.tensor([[30.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    assert diverge(unsure, sure).kl_mean == pytest.approx(math.log(2), rel=1e-6)  # float64
    assert diverge(sure, unsure).kl_mean > 10


def test_a_shifted_row_is_another_row_of_logits_but_the_same_distribution() -> None:
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    found = diverge(logits + 2.0, logits, threshold=0.01)
    assert found.kl_max < 1e-12  # float64, of float32 logits whose sums rounded alike
    assert found.first_row == 0
    assert found.relative > 0.1


def test_without_threshold_a_row_differs_by_its_top_token() -> None:
    reference = torch.eye(4)
    found = reference.clone()
    found[2] = torch.tensor([9.0, 0.0, 0.0, 0.0])
    figures = diverge(found, reference)
    assert (figures.first_row, figures.top1) == (2, 0.75)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("side", [0, 1])
def test_logits_that_are_no_numbers_are_never_equal(bad: float, side: int) -> None:
    sides = [torch.zeros(20, 5), torch.zeros(20, 5)]
    sides[side][17, 3] = bad
    figures = diverge(sides[0], sides[1], threshold=1.0)
    assert not figures.is_finite


def test_nan_in_both_is_no_agreement() -> None:
    logits = torch.full((2, 5), float("nan"))
    figures = diverge(logits, logits, threshold=1.0)
    assert not figures.is_finite
    assert figures.first_row == 0


def test_all_zero_logits_divide_by_no_zero() -> None:
    assert diverge(torch.zeros(2, 3), torch.zeros(2, 3)).relative == 0.0


@pytest.mark.parametrize("shapes", [((2, 5), (2, 6)), ((2, 5), (3, 5)), ((0, 5), (0, 5))])
def test_other_shapes_cannot_be_compared(
    shapes: tuple[tuple[int, int], tuple[int, int]],
) -> None:
    with pytest.raises(VerificationError, match=r"shapes \[.*cannot be compared"):
        diverge(torch.zeros(shapes[0]), torch.zeros(shapes[1]))


def test_limits_are_judged_one_by_one_and_a_limit_that_is_no_number_is_never_kept() -> None:
    reference = torch.tensor([[2.0, 0.0], [0.0, 2.0]])
    figures = diverge(torch.tensor([[2.0, 0.0], [3.0, 2.0]]), reference)
    assert SAME_NUMBERS.exceeded(diverge(reference, reference)) == ()
    difference, kl, top1 = SAME_NUMBERS.exceeded(figures)
    assert difference == "logit difference 1.5 of the largest logit (limit 0.0005)"
    assert kl.startswith("KL 0.")
    assert kl.endswith("nats (limit 1e-06)")
    assert top1 == "top-1 agreement 50.0% (limit 98.0%)"
    loose = with_limits(QUANTIZED, kl=9.0, top1=0.5)
    assert loose.exceeded(figures) == ()
    assert len(with_limits(loose, relative=float("nan")).exceeded(figures)) == 1
    broken = diverge(torch.full((1, 2), float("nan")), reference[:1])
    assert loose.exceeded(broken) == ("there are logits that are not finite numbers",)
