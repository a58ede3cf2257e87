"""Choosing experts, and the order in which their matrices are walked.

Letters: T rows, E experts, k experts a row, P = T · k pairs of row and expert, N pairs a program takes.
"""

import triton
import triton.language as tl


@triton.jit
def route_kernel(
    logits, expert_scale, weights, experts, num_parts, part_stride, num_experts,
    TOP_K: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Softmax over all experts, the best k, renormalised, scaled by expert. A program a row.

    Of equal probabilities the expert with the lower number comes first.
    """
    row = tl.program_id(0)
    expert = tl.arange(0, BLOCK)
    inside = expert < num_experts
    scores = tl.zeros((BLOCK,), tl.float32)
    for part in range(num_parts):
        place = logits + part * part_stride + row * num_experts + expert
        scores += tl.load(place, mask=inside, other=0.0).to(tl.float32)
    scores = tl.where(inside, scores, -float("inf"))
    scores = tl.exp(scores - tl.max(scores, axis=0))
    probabilities = scores / tl.sum(scores, axis=0)
    rank = tl.arange(0, TOP_K)
    chosen = tl.zeros((TOP_K,), tl.int32)
    found = tl.zeros((TOP_K,), tl.float32)
    for turn in tl.static_range(TOP_K):
        best = tl.max(probabilities, axis=0)
        first = tl.min(tl.where(probabilities == best, expert, BLOCK), axis=0)
        chosen = tl.where(rank == turn, first, chosen)
        found = tl.where(rank == turn, best, found)
        probabilities = tl.where(expert == first, -1.0, probabilities)
    share = found / tl.sum(found, axis=0) * tl.load(expert_scale + chosen).to(tl.float32)
    tl.store(weights + row * TOP_K + rank, share)
    tl.store(experts + row * TOP_K + rank, chosen)


@triton.jit
def plan_experts_kernel(
    experts, slots, tile_experts, num_pairs,
    PAIRS: tl.constexpr, EXPERTS: tl.constexpr, N: tl.constexpr,
):  # fmt: skip
    """Group up to PAIRS pairs by expert, N to a tile. One program; both outputs come filled with −1."""
    pair = tl.arange(0, PAIRS)
    other = tl.arange(0, PAIRS)
    number = tl.arange(0, EXPERTS)
    real = pair < num_pairs
    expert = tl.load(experts + pair, mask=real, other=EXPERTS)
    expert_again = tl.load(experts + other, mask=other < num_pairs, other=EXPERTS)
    earlier = (expert_again[None, :] == expert[:, None]) & (other[None, :] < pair[:, None])
    rank = tl.sum(earlier.to(tl.int32), axis=1)
    mine = (expert[:, None] == number[None, :]).to(tl.int32)  # [PAIRS, EXPERTS]
    tiles = (tl.sum(mine, axis=0) + N - 1) // N
    first_tile = tl.cumsum(tiles, axis=0) - tiles
    tile = tl.sum(mine * first_tile[None, :], axis=1) + rank // N
    tl.store(slots + tile * N + rank % N, pair, mask=real)
    tl.store(tile_experts + tile, expert, mask=real & (rank % N == 0))
