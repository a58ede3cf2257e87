"""Floats into formats of 32 weights a block: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.

Each function encodes float32 [n, 32] into blocks uint8 [n, bytes_per_block]; blocks32.py says how the
bytes lie. Scales are searched for least squared error. llama.cpp's own choice is always among those
compared, as it decodes, so that no block comes out worse than there.
"""

import numpy as np

from .blocks32 import Bytes, Floats
from .encode_search import (
    Affine,
    as_float16,
    inverse_of,
    peak_of,
    round_to,
    search_affine,
    search_scale,
    squared_error,
)

_NIBBLE, _FOUR = np.uint8(15), np.uint8(4)
# The numbers that a block's largest value is put on, as differences from the end of the range.
_NEAR_THE_END = tuple(step / 4 for step in range(-5, 6))
# Differences from the number of steps between a block's least and largest value.
_STRETCHES = (0.0, 0.4, 0.8, 1.2, 1.6, 2.0, -0.4)


def encode_q4_0(values: Floats) -> Bytes:
    """Whole numbers −8 … 7 times a scale."""
    scale, numbers = _symmetric(values, 8)
    return np.concatenate([_half(scale), _pack_nibbles(numbers + 8)], axis=1)


def encode_q5_0(values: Floats) -> Bytes:
    """Whole numbers −16 … 15 times a scale."""
    scale, numbers = _symmetric(values, 16)
    return np.concatenate([_half(scale), _pack_five_bits(numbers + 16)], axis=1)


def encode_q4_1(values: Floats) -> Bytes:
    """Whole numbers 0 … 15 times a scale, plus a minimum."""
    line, numbers = _affine(values, 15)
    return np.concatenate([_half(line.scale), _half(line.minimum), _pack_nibbles(numbers)], axis=1)


def encode_q5_1(values: Floats) -> Bytes:
    """Whole numbers 0 … 31 times a scale, plus a minimum."""
    line, numbers = _affine(values, 31)
    return np.concatenate(
        [_half(line.scale), _half(line.minimum), _pack_five_bits(numbers)], axis=1
    )


def encode_q8_0(values: Floats) -> Bytes:
    """Whole numbers −127 … 127 times a scale, which puts the largest value on 127."""
    scale = as_float16(np.abs(values).max(axis=1, keepdims=True) / np.float32(127))
    numbers = round_to(values, inverse_of(scale), -127, 127).astype(np.int8)
    return np.concatenate([_half(scale), numbers.view(np.uint8)], axis=1)


def _symmetric(values: Floats, half_range: int) -> tuple[Floats, Floats]:
    """Scale [n, 1] in half precision, and numbers [n, 32] from −half_range to half_range − 1."""
    low, high = -half_range, half_range - 1
    ends = [low + step for step in _NEAR_THE_END] + [high + step for step in _NEAR_THE_END]
    found = as_float16(search_scale(values, peak_of(values), low, high, ends))
    plain = as_float16(peak_of(values) / np.float32(low))
    ours = round_to(values, inverse_of(found), low, high)
    theirs = round_to(values, inverse_of(plain), low, high)
    better = squared_error(values, found, ours) <= squared_error(values, plain, theirs)
    return np.where(better, found, plain), np.where(better, ours, theirs)


def _affine(values: Floats, high: int) -> tuple[Affine, Floats]:
    """Scale and minimum in half precision, and numbers [n, 32] from 0 to `high`."""
    found = search_affine(values, high, _STRETCHES)
    least = values.min(axis=1, keepdims=True)
    span = values.max(axis=1, keepdims=True) - least
    plain = Affine(scale=span / np.float32(high), minimum=least)
    (ours, our_numbers, our_error), (theirs, their_numbers, their_error) = (
        _rounded(values, line, high) for line in (found, plain)
    )
    better = our_error <= their_error
    line = Affine(
        scale=np.where(better, ours.scale, theirs.scale),
        minimum=np.where(better, ours.minimum, theirs.minimum),
    )
    return line, np.where(better, our_numbers, their_numbers)


def _rounded(values: Floats, line: Affine, high: int) -> tuple[Affine, Floats, Floats]:
    """A line as a file holds it, the numbers under it, and their squared error [n, 1]."""
    stored = Affine(scale=as_float16(line.scale), minimum=as_float16(line.minimum))
    shifted = values - stored.minimum
    numbers = round_to(shifted, inverse_of(stored.scale), 0, high)
    return stored, numbers, squared_error(shifted, stored.scale, numbers)


def _half(values: Floats) -> Bytes:
    """float32 [n, 1] → the two bytes of its half precision [n, 2]."""
    return values.astype(np.float16).view(np.uint8)


def _pack_nibbles(numbers: Floats) -> Bytes:
    """Numbers 0 … 15 [n, 32] → [n, 16]: weights 0–15 in the low halves, 16–31 in the high ones."""
    octets = numbers.astype(np.uint8)
    packed: Bytes = octets[:, :16] | (octets[:, 16:] << _FOUR)
    return packed


def _pack_five_bits(numbers: Floats) -> Bytes:
    """Numbers 0 … 31 [n, 32] → [n, 20]: four bytes of fifth bits, then nibbles."""
    octets = numbers.astype(np.uint8)
    fifth = np.packbits(octets >> _FOUR, axis=1, bitorder="little")
    low = octets & _NIBBLE
    return np.concatenate([fifth, low[:, :16] | (low[:, 16:] << _FOUR)], axis=1)
