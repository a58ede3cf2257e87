"""Pooling of patches into soft tokens."""

import pytest
import torch

from gemma4.ops.pooling import pool_patches


def _grid(width, height):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2)


def test_each_square_gives_its_mean_in_raster_order():
    """4×2 patches of values 0 … 7 in squares of 2."""
    values = torch.arange(8.0)[:, None]
    assert pool_patches(values, _grid(4, 2), 2).tolist() == [[2.5], [4.5]]


def test_positions_not_order_say_where_a_patch_belongs():
    values, positions = torch.arange(8.0)[:, None], _grid(4, 2)
    order = torch.tensor([7, 2, 5, 0, 3, 6, 1, 4])
    assert pool_patches(values[order], positions[order], 2).tolist() == [[2.5], [4.5]]


def test_the_mean_is_float32_whatever_the_input():
    values = torch.full((9, 1), 60_000.0, dtype=torch.float16)
    found = pool_patches(values, _grid(3, 3), 3)
    assert found.dtype is torch.float32
    assert found.item() == values[0].item()


def test_an_image_that_is_not_whole_is_no_image():
    with pytest.raises(RuntimeError):
        pool_patches(torch.zeros(10, 1), _grid(5, 2), 3)
