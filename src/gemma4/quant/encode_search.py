"""Finds the scale, or scale and minimum, under which whole numbers stand for floats with least error.

A scale is proposed, the floats are rounded to whole numbers under it, and the scale that fits these
numbers best follows by least squares; of several proposals the best one wins. Letters: n groups of
floats, W floats in a group.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .blocks32 import Floats

HALF_MAX = np.float32(65504)
"""The largest number of half precision."""

_SMALLEST = np.float32(1e-20)  # below it a group is nothing but zeros to every format


@dataclass(frozen=True, kw_only=True, slots=True)
class Affine:
    """x ≈ scale · q + minimum, for whole numbers q from 0.

    Attributes:
        scale: float32 [n, 1], 0 or more.
        minimum: float32 [n, 1].
    """

    scale: Floats
    minimum: Floats


def inverse_of(values: Floats) -> Floats:
    """1 / values, and 0 where a value is as good as 0."""
    tiny = np.abs(values) < _SMALLEST
    inverse: Floats = np.where(tiny, np.float32(0), 1 / np.where(tiny, np.float32(1), values))
    return inverse


def as_float16(values: Floats) -> Floats:
    """Values as a file's half precision holds them; its largest stands for what is larger."""
    return values.clip(-HALF_MAX, HALF_MAX).astype(np.float16).astype(np.float32)


def peak_of(values: Floats) -> Floats:
    """The value of largest magnitude in each group, with its sign: [n, W] → [n, 1]."""
    largest, smallest = values.max(axis=1, keepdims=True), values.min(axis=1, keepdims=True)
    peaks: Floats = np.where(largest > -smallest, largest, smallest)
    return peaks


def round_to(values: Floats, inverse: Floats, low: int, high: int) -> Floats:
    """Whole numbers from `low` to `high` nearest to values · inverse, as floats [n, W]."""
    numbers = values * inverse
    np.rint(numbers, out=numbers)
    np.clip(numbers, low, high, out=numbers)
    return numbers


def squared_error(values: Floats, scale: Floats, numbers: Floats) -> Floats:
    """Σ (x − scale · q)² of each group: [n, 1]."""
    rest = values - scale * numbers
    return _dot(rest, rest)


def search_scale(
    values: Floats,
    peaks: Floats,
    low: int,
    high: int,
    ends: Sequence[float],
    *,
    weights: Floats | None = None,
) -> Floats:
    """The scale of x ≈ scale · q, q from `low` to `high`: [n, W] → [n, 1].

    Args:
        peaks: [n, 1], each group's largest magnitude; with its sign, scales may have either sign.
        ends: proposals: the number that the peak is put on.
        weights: [n, W], how much an error counts; None: all alike.
    """
    peak_inverse = inverse_of(peaks)
    weighted = values if weights is None else values * weights
    best = np.zeros_like(peak_inverse)
    most = np.full_like(peak_inverse, -1)
    for end in ends:
        numbers = round_to(values, peak_inverse * np.float32(end), low, high)
        along = _dot(weighted, numbers)  # Σ w x q
        size = _dot(numbers if weights is None else numbers * weights, numbers)
        scale = along * inverse_of(size)
        gain = scale * along  # by so much the error is less than that of zeros
        better = gain > most
        best = np.where(better, scale, best)
        most = np.where(better, gain, most)
    return best


def search_affine(
    values: Floats,
    high: int,
    stretches: Sequence[float],
    *,
    weights: Floats | None = None,
    below_zero: bool = False,
) -> Affine:
    """Scale and minimum of x ≈ scale · q + minimum, q from 0 to `high`, for groups [n, W].

    Args:
        stretches: proposals: the whole numbers that the span from least to largest value is divided
            into, as a difference from `high`.
        weights: [n, W], how much an error counts; None: all alike.
        below_zero: the minimum is 0 or less.
    """
    least, largest = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    if below_zero:
        least = np.minimum(least, np.float32(0))
    span_inverse = inverse_of(largest - least)
    sums = _Sums(values, weights)
    shifted = values - least
    best = Affine(scale=(largest - least) / np.float32(high), minimum=least)
    gain = np.full_like(least, -np.inf)
    for stretch in stretches:
        numbers = round_to(shifted, span_inverse * np.float32(high + stretch), 0, high)
        found, its_gain = sums.fit(numbers, below_zero=below_zero)
        better = (its_gain > gain) & (found.scale > 0)
        best = Affine(
            scale=np.where(better, found.scale, best.scale),
            minimum=np.where(better, found.minimum, best.minimum),
        )
        gain = np.where(better, its_gain, gain)
    return best


class _Sums:
    """What least squares needs of the values, once for all proposals."""

    def __init__(self, values: Floats, weights: Floats | None) -> None:
        self.weights = weights
        self.weighted = values if weights is None else values * weights
        ones: Floats = np.ones_like(values) if weights is None else weights
        self.w = ones.sum(axis=1, keepdims=True)
        self.x = self.weighted.sum(axis=1, keepdims=True)

    def fit(self, numbers: Floats, *, below_zero: bool) -> tuple[Affine, Floats]:
        """The best line through (q, x), and by how much its error is less than that of zeros."""
        weighted = numbers if self.weights is None else numbers * self.weights
        q = weighted.sum(axis=1, keepdims=True)
        qq, xq = _dot(weighted, numbers), _dot(self.weighted, numbers)
        determinant = inverse_of(self.w * qq - q * q)
        scale = (self.w * xq - self.x * q) * determinant
        minimum = (qq * self.x - q * xq) * determinant
        if below_zero:
            through_zero = minimum > 0
            scale = np.where(through_zero, xq * inverse_of(qq), scale)
            minimum = np.where(through_zero, np.float32(0), minimum)
        return Affine(scale=scale, minimum=minimum), scale * xq + minimum * self.x


def _dot(first: Floats, second: Floats) -> Floats:
    """Inner products of groups: [n, W], [n, W] → [n, 1]."""
    product: Floats = np.einsum("nw,nw->n", first, second)[:, None]
    return product
