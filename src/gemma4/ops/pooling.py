"""Average pooling of an image's patches into soft tokens. Letters: P patches, D width, k kernel."""

import torch
from torch import Tensor


def pool_patches(hidden: Tensor, positions: Tensor, kernel: int) -> Tensor:
    """Mean of each k×k square of patches, in float32, squares in raster order.

    The image must be whole: its sides multiples of k, every patch there once. The order of the
    patches does not matter; their positions say where they belong.

    Args:
        hidden: [..., P, D]. positions: int64 [..., P, 2], (x, y).

    Returns:
        float32 [..., P/k², D].
    """
    squares = positions // kernel  # [..., P, 2]
    columns = squares[..., 0].amax(dim=-1, keepdim=True) + 1
    order = (squares[..., 0] + columns * squares[..., 1]).argsort(dim=-1, stable=True)  # [..., P]
    grouped = hidden.gather(-2, order[..., None].expand_as(hidden))
    squared = torch.unflatten(grouped, -2, (-1, kernel * kernel))  # [..., P/k², k², D]
    return squared.float().mean(dim=-2)
