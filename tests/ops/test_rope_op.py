"""Rotary embedding: hand-made frequencies, and what rotation must keep."""

import torch

from gemma4.config import RopeConfig
from gemma4.ops.rope import cos_sin, inverse_frequencies, rotate


def test_a_quarter_of_the_pairs_turns_with_the_whole_width_below_the_exponent() -> None:
    frequencies = inverse_frequencies(RopeConfig(theta=1e6, rotary_fraction=0.25), 512)
    expected = torch.tensor([1e6 ** (-2 * i / 512) for i in range(64)])
    torch.testing.assert_close(frequencies[:64], expected, rtol=1e-6, atol=0)  # float32
    assert frequencies.shape == (256,)
    assert not frequencies[64:].any()


def test_the_factor_slows_every_pair() -> None:
    plain = inverse_frequencies(RopeConfig(theta=1e4), 8)
    slowed = inverse_frequencies(RopeConfig(theta=1e4, factor=8.0), 8)
    torch.testing.assert_close(slowed * 8, plain, rtol=1e-6, atol=0)  # float32


def test_pair_i_is_dimension_i_and_i_plus_half() -> None:
    x = torch.zeros(1, 1, 4)
    x[0, 0, 0] = 1.0
    cos, sin = cos_sin(torch.tensor([1]), torch.tensor([0.5, 0.0]), torch.float32)
    expected = torch.tensor(
        [[[torch.cos(torch.tensor(0.5)), 0.0, torch.sin(torch.tensor(0.5)), 0]]]
    )
    torch.testing.assert_close(rotate(x, cos, sin), expected)  # float32


def test_rotation_keeps_lengths_and_position_zero() -> None:
    torch.manual_seed(0)
    x = torch.randn(6, 2, 16)
    cos, sin = cos_sin(
        torch.arange(6), inverse_frequencies(RopeConfig(theta=1e4), 16), torch.float32
    )
    turned = rotate(x, cos, sin)
    torch.testing.assert_close(turned.norm(dim=-1), x.norm(dim=-1))  # float32
    assert torch.equal(turned[0], x[0])


def test_scores_depend_on_distance_only() -> None:
    torch.manual_seed(0)
    query, key = torch.randn(1, 1, 16), torch.randn(1, 1, 16)
    frequencies = inverse_frequencies(RopeConfig(theta=1e4), 16)

    def score(at: int, other: int) -> torch.Tensor:
        turned = rotate(query, *cos_sin(torch.tensor([at]), frequencies, torch.float32))
        return (
            turned * rotate(key, *cos_sin(torch.tensor([other]), frequencies, torch.float32))
        ).sum()

    # float32, 1e-5: angles of position 107 carry 107 times the rounding of those near 0
    torch.testing.assert_close(score(7, 3), score(107, 103), rtol=1e-4, atol=1e-5)
