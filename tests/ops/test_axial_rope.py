"""Rotation on a plane, float32."""

import math

import torch

from gemma4.ops.axial_rope import axial_cos_sin, rotate_axes

HEAD_DIM = 8
THETA = 100.0


def _rotate(x, position):
    rotation = axial_cos_sin(torch.tensor([position]), HEAD_DIM, THETA, torch.float32)
    return rotate_axes(x[None, None], *rotation)[0, 0]


def test_x_turns_the_first_half_and_y_the_second():
    """Width 8: each axis has the pairs (0, 2) and (1, 3) of its half, at angles p and p/10."""
    found = _rotate(torch.tensor([1.0, 1, 0, 0, 1, 1, 0, 0]), (2, 3))
    expected = [f(a) for p in (2, 3) for f in (math.cos, math.sin) for a in (p, p / 10)]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-6, atol=1e-6)


def test_the_origin_stands_still():
    x = torch.randn(HEAD_DIM, generator=torch.Generator().manual_seed(0))
    assert torch.equal(_rotate(x, (0, 0)), x)


def test_products_depend_on_the_offset_alone_and_norms_on_nothing():
    generator = torch.Generator().manual_seed(1)
    query, key = torch.randn(2, HEAD_DIM, generator=generator)
    here = _rotate(query, (3, 7)) @ _rotate(key, (1, 2))
    there = _rotate(query, (13, 27)) @ _rotate(key, (11, 22))
    torch.testing.assert_close(here, there, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(_rotate(query, (40, 9)).norm(), query.norm(), rtol=1e-6, atol=0)
