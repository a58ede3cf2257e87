"""Choosing experts and grouping their work.

Letters: T rows, E experts, k experts a row, P = T · k pairs of row and expert.
"""

import torch
from torch import Tensor

from .linear import FEW_ROWS, ExpertTiles
from .router import plan_experts_kernel, route_kernel

FEW_PAIRS = 128  # as many are grouped by one program


def route(logits: Tensor, expert_scale: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """Weights float32 [T, k] and experts int32 [T, k] for logits in parts [S, T, E]."""
    num_parts, num_rows, num_experts = logits.shape
    weights = torch.empty(num_rows, top_k, dtype=torch.float32, device=logits.device)
    experts = torch.empty(num_rows, top_k, dtype=torch.int32, device=logits.device)
    route_kernel[(num_rows,)](
        logits, expert_scale, weights, experts, num_parts, logits.stride(0), num_experts,
        TOP_K=top_k, BLOCK=_power_of_2(num_experts), num_warps=1,
    )  # fmt: skip
    return weights, experts


def group_by_expert(experts: Tensor, num_experts: int) -> ExpertTiles:
    """Group pairs by expert for experts int32 [T, k], without waiting for the GPU."""
    if experts.numel() <= FEW_PAIRS:
        return group_few(experts, num_experts)
    return group_many(experts, num_experts, width=FEW_ROWS if experts.numel() < 1024 else 64)


def group_few(experts: Tensor, num_experts: int) -> ExpertTiles:
    """As `group_by_expert`, in one small kernel."""
    num_pairs = experts.numel()
    width = (
        FEW_ROWS // 2 if experts.shape[0] <= FEW_ROWS // 2 else FEW_ROWS
    )  # a row counts once an expert
    num_tiles = _most_tiles(num_pairs, num_experts, width)
    filled = experts.new_full((num_tiles, width + 1), -1).view(-1)
    slots, owners = filled[: num_tiles * width], filled[num_tiles * width :]
    plan_experts_kernel[(1,)](
        experts, slots, owners, num_pairs,
        PAIRS=_power_of_2(num_pairs), EXPERTS=_power_of_2(num_experts), N=width,
    )  # fmt: skip
    return ExpertTiles(slots.view(num_tiles, width), owners, num_pairs)


def group_many(experts: Tensor, num_experts: int, *, width: int) -> ExpertTiles:
    """As `group_by_expert`, in torch; tiles of `width` pairs. Shapes depend on those of `experts` alone."""
    flat = experts.flatten().long()
    num_pairs = flat.numel()
    ordered, order = flat.sort(stable=True)
    numbers = torch.arange(num_experts, device=flat.device)
    starts = torch.searchsorted(ordered, numbers)
    ends = torch.searchsorted(ordered, numbers, right=True)
    tiles = (ends - starts + width - 1) // width
    tile_ends = tiles.cumsum(0)
    index = torch.arange(_most_tiles(num_pairs, num_experts, width), device=flat.device)
    owner = torch.searchsorted(tile_ends, index, right=True)
    used = owner < num_experts
    owner = owner.clamp_max(num_experts - 1)
    within = index - (tile_ends - tiles)[owner]
    place = (
        starts[owner][:, None] + within[:, None] * width + torch.arange(width, device=flat.device)
    )
    real = used[:, None] & (place < ends[owner][:, None])
    slots = torch.where(real, order[place.clamp_max(num_pairs - 1)], -1)
    return ExpertTiles(slots.int(), torch.where(used, owner, -1).int(), num_pairs)


def _most_tiles(num_pairs: int, num_experts: int, width: int) -> int:
    """Tiles that any distribution of the pairs fits: each expert has at most one that is not full."""
    return min(num_pairs, num_experts) + num_pairs // width


def _power_of_2(number: int) -> int:
    return max(16, 1 << (number - 1).bit_length())
