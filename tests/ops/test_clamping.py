"""Clamping to what a dtype can hold."""

import pytest
import torch

from gemma4.ops.clamping import clamp_activations


@pytest.mark.parametrize(
    ("dtype", "limit", "bound"),
    [(torch.float32, 1e10, 1e10), (torch.float16, 1e10, 65504.0), (torch.float32, 5.0, 5.0)],
)
def test_the_bound_is_the_smaller_of_the_limit_and_the_dtype(dtype, limit, bound):
    x = torch.tensor([-torch.inf, -1.0, 2.0, torch.inf], dtype=dtype)
    assert clamp_activations(x, limit).tolist() == [-bound, -1.0, 2.0, bound]
