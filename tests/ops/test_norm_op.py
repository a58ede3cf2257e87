"""RMS norm: the formula, and where float32 begins and ends."""

import torch

from gemma4.ops.norm import rms_norm


def test_the_weight_multiplies_as_it_is() -> None:
    x, weight = torch.tensor([[3.0, 4.0]]), torch.tensor([1.0, 2.0])
    root = (12.5 + 1e-6) ** 0.5
    torch.testing.assert_close(rms_norm(x, weight, 1e-6), torch.tensor([[3.0, 8.0]]) / root)


def test_without_weight_rows_have_unit_mean_square() -> None:
    torch.manual_seed(0)
    normed = rms_norm(torch.randn(4, 64) * 100, None, 1e-6)
    torch.testing.assert_close(normed.square().mean(-1), torch.ones(4))  # float32


def test_bfloat16_is_rounded_once_at_the_end() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(8, 640).bfloat16(), torch.randn(640).bfloat16()
    wide = x.float() * torch.rsqrt(x.float().square().mean(-1, keepdim=True) + 1e-6)
    assert torch.equal(rms_norm(x, weight, 1e-6), (wide * weight.float()).bfloat16())


def test_a_float32_weight_serves_a_bfloat16_stream() -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(8, 64).bfloat16(), torch.randn(64)
    wide = rms_norm(x.float(), weight, 1e-6)
    assert torch.equal(rms_norm(x, weight, 1e-6), wide.bfloat16())
