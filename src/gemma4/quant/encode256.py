"""Floats into formats of 256 weights a block: Q4_K, Q5_K, Q6_K.

Each function encodes float32 [n, 256] into blocks uint8 [n, bytes_per_block]; blocks256.py says how the
bytes lie. Every group's scale (and minimum) is searched on its own, rounded to the few bits that the
block has for it, and the weights are rounded under what was stored.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from .blocks32 import Bytes, Floats
from .encode_search import (
    as_float16,
    inverse_of,
    peak_of,
    round_to,
    search_affine,
    search_scale,
    squared_error,
)

_NIBBLE, _TWO, _FOUR, _SIX = np.uint8(15), np.uint8(2), np.uint8(4), np.uint8(6)
# Differences from the number of steps between a group's least and largest value.
_STRETCHES_4 = tuple(-1.0 + step / 5 for step in range(11))
_STRETCHES_5 = tuple(-0.5 + step / 5 for step in range(8))
_ENDS_6 = tuple(-32 + step / 5 for step in range(-5, 6))
_LARGEST = 63  # of a 6-bit scale
_NUDGES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1))  # of a group's scale and minimum


def encode_q4_k(values: Floats) -> Bytes:
    """Eight groups of 32: 6-bit scales and minimums, whole numbers 0 … 15."""
    head, numbers = _affine_groups(values, 15, _STRETCHES_4)
    return np.concatenate([head, _pack_nibbles(numbers & _NIBBLE, 32)], axis=1)


def encode_q5_k(values: Floats) -> Bytes:
    """As Q4_K with whole numbers 0 … 31."""
    head, numbers = _affine_groups(values, 31, _STRETCHES_5)
    bits = numbers.reshape(-1, 8, 32) >> _FOUR
    fifth = np.packbits(bits, axis=1, bitorder="little")[:, 0]  # byte j: one bit of each group
    return np.concatenate([head, fifth, _pack_nibbles(numbers & _NIBBLE, 32)], axis=1)


def encode_q6_k(values: Floats) -> Bytes:
    """Sixteen groups of 16: 8-bit scales of either sign, whole numbers −32 … 31."""
    groups = values.reshape(-1, 16)
    scales = search_scale(
        groups, peak_of(groups), -32, 31, _ENDS_6, weights=groups * groups
    ).reshape(-1, 16)
    scale = as_float16(peak_of(scales) / np.float32(-128))  # [n, 1]
    stored = round_to(scales, inverse_of(scale), -128, 127)
    stored, numbers = _nudge_signed(groups, scale, stored)
    octets = (numbers + 32).astype(np.uint8).reshape(-1, 256)
    pairs = (octets >> _FOUR).reshape(-1, 2, 4, 32)
    high = pairs[:, :, 0] | pairs[:, :, 1] << _TWO
    high |= pairs[:, :, 2] << _FOUR | pairs[:, :, 3] << _SIX
    return np.concatenate(
        [
            _pack_nibbles(octets & _NIBBLE, 64),
            high.reshape(-1, 64),
            stored.astype(np.int8).view(np.uint8),
            scale.astype(np.float16).view(np.uint8),
        ],
        axis=1,
    )


def _nudge_signed(groups: Floats, scale: Floats, stored: Floats) -> tuple[Floats, Floats]:
    """Move each 8-bit scale [n, 16] by one where that lessens the error; the numbers [16n, 16]."""
    best = np.zeros_like(groups)
    least = np.full((len(groups), 1), np.inf, dtype=np.float32)
    kept = stored
    for step in (0, 1, -1):
        moved = np.clip(stored + np.float32(step), -128, 127)
        whole = (scale * moved).reshape(-1, 1)
        numbers = round_to(groups, inverse_of(whole), -32, 31)
        errors = squared_error(groups, whole, numbers)
        better = errors < least
        least = np.where(better, errors, least)
        best = np.where(better, numbers, best)
        kept = np.where(better.reshape(-1, 16), moved, kept)
    return kept, best


@dataclass(frozen=True, kw_only=True, slots=True)
class _Block:
    """What a block of Q4_K or Q5_K stores beside its numbers: x ≈ scale · s · q − minimum · m.

    Attributes:
        scale, minimum: float32 [n, 1], as half precision holds them.
        scales, minimums: s and m of each group, whole numbers 0 … 63, float32 [n, 8].
    """

    scale: Floats
    minimum: Floats
    scales: Floats
    minimums: Floats

    def numbers(self, groups: Floats, high: int) -> tuple[Floats, Floats]:
        """Numbers [8n, 32] nearest to the groups, and what is left of these."""
        scale = (self.scale * self.scales).reshape(-1, 1)
        shifted = groups + (self.minimum * self.minimums).reshape(-1, 1)
        found = round_to(shifted, inverse_of(scale), 0, high)
        return found, shifted - scale * found


def _affine_groups(values: Floats, high: int, stretches: tuple[float, ...]) -> tuple[Bytes, Bytes]:
    """The 16 bytes of scales and minimums, and the numbers uint8 [n, 256], of Q4_K and Q5_K."""
    groups = values.reshape(-1, 32)
    # As in llama.cpp, an error counts more where the value is large.
    level = np.sqrt(np.einsum("nw,nw->n", groups, groups) / np.float32(32))[:, None]
    weights = level + np.abs(groups)
    line = search_affine(groups, high, stretches, weights=weights, below_zero=True)
    block = _round_scales(line.scale.reshape(-1, 8), -line.minimum.reshape(-1, 8))
    block = _refit(_nudge(block, groups, weights, high), groups, weights, high)
    numbers, _ = block.numbers(groups, high)
    head = np.concatenate(
        [
            block.scale.astype(np.float16).view(np.uint8),
            block.minimum.astype(np.float16).view(np.uint8),
            _pack_six_bits(block.scales.astype(np.uint8), block.minimums.astype(np.uint8)),
        ],
        axis=1,
    )
    return head, numbers.astype(np.uint8).reshape(-1, 256)


def _round_scales(scales: Floats, minimums: Floats) -> _Block:
    """Six bits for each group: the largest scale, and the largest minimum, become 63."""
    scale = as_float16(scales.max(axis=1, keepdims=True) / np.float32(_LARGEST))
    minimum = as_float16(minimums.max(axis=1, keepdims=True) / np.float32(_LARGEST))
    return _Block(
        scale=scale,
        minimum=minimum,
        scales=round_to(scales, inverse_of(scale), 0, _LARGEST),
        minimums=round_to(minimums, inverse_of(minimum), 0, _LARGEST),
    )


def _nudge(block: _Block, groups: Floats, weights: Floats, high: int) -> _Block:
    """Move each group's s and m by one where that lessens its error."""
    least = _group_errors(block, groups, weights, high)
    for step in _NUDGES:
        moved = replace(
            block,
            scales=np.clip(block.scales + np.float32(step[0]), 0, _LARGEST),
            minimums=np.clip(block.minimums + np.float32(step[1]), 0, _LARGEST),
        )
        errors = _group_errors(moved, groups, weights, high)
        better = errors < least
        least = np.where(better, errors, least)
        block = replace(
            block,
            scales=np.where(better, moved.scales, block.scales),
            minimums=np.where(better, moved.minimums, block.minimums),
        )
    return block


def _group_errors(block: _Block, groups: Floats, weights: Floats, high: int) -> Floats:
    """Weighted squared error of each group: [n, 8]."""
    _, rest = block.numbers(groups, high)
    errors: Floats = np.einsum("nw,nw,nw->n", weights, rest, rest).reshape(-1, 8)
    return errors


def _refit(block: _Block, groups: Floats, weights: Floats, high: int) -> _Block:
    """Fit the block's scale and minimum to the numbers by least squares, where that helps."""
    numbers, _ = block.numbers(groups, high)
    count = len(block.scale)
    first = (block.scales.reshape(-1, 1) * numbers).reshape(count, 256)
    second = np.repeat(-block.minimums, 32, axis=1)
    values, w = groups.reshape(count, 256), weights.reshape(count, 256)

    def total(left: Floats, right: Floats) -> npt.NDArray[np.float64]:
        products = np.einsum("nw,nw,nw->n", w, left, right)[:, None]
        return products.astype(np.float64)

    aa, ab, bb = total(first, first), total(first, second), total(second, second)
    ax, bx = total(first, values), total(second, values)
    determinant = aa * bb - ab * ab
    usable = determinant > 1e-7 * aa * bb
    divisor = np.where(usable, determinant, 1)
    scale = np.where(usable, (bb * ax - ab * bx) / divisor, block.scale)
    minimum = np.where(usable, (aa * bx - ab * ax) / divisor, block.minimum)
    fitted = replace(
        block,
        scale=as_float16(scale.clip(0).astype(np.float32)),
        minimum=as_float16(minimum.clip(0).astype(np.float32)),
    )
    before = _group_errors(block, groups, weights, high).sum(axis=1, keepdims=True)
    after = _group_errors(fitted, groups, weights, high).sum(axis=1, keepdims=True)
    return replace(
        block,
        scale=np.where(after < before, fitted.scale, block.scale),
        minimum=np.where(after < before, fitted.minimum, block.minimum),
    )


def _pack_six_bits(scales: Bytes, minimums: Bytes) -> Bytes:
    """Scales and minimums [n, 8] of 6 bits → 12 bytes, the inverse of blocks256's reading."""
    first = scales[:, :4] | (scales[:, 4:] >> _FOUR) << _SIX
    second = minimums[:, :4] | (minimums[:, 4:] >> _FOUR) << _SIX
    third = (scales[:, 4:] & _NIBBLE) | (minimums[:, 4:] & _NIBBLE) << _FOUR
    return np.concatenate([first, second, third], axis=1)


def _pack_nibbles(numbers: Bytes, width: int) -> Bytes:
    """Numbers 0 … 15 [n, 256] → [n, 128]: runs of `width` bytes, low halves first."""
    runs = numbers.reshape(len(numbers), -1, 2, width)
    packed: Bytes = runs[:, :, 0] | runs[:, :, 1] << _FOUR
    return packed.reshape(len(numbers), 128)
