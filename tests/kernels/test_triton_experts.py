"""Routing, grouping and the experts' products on a GPU against `ops.moe`."""

import pytest
import torch
from torch import Tensor
from triton_weights import random_packed

from gemma4.kernels.cuda.experts import group_few, group_many, route
from gemma4.kernels.cuda.linear import ExpertTiles, routed_linear
from gemma4.kernels.cuda.packed import PackedMatrix, Weight
from gemma4.kernels.cuda.tuning import Tuning
from gemma4.ops import moe


@pytest.mark.parametrize(("rows", "experts", "top_k"), [(1, 128, 8), (5, 8, 2), (3, 20, 4)])
def test_the_best_experts_are_chosen(rows: int, experts: int, top_k: int) -> None:
    """float32, 1e-6."""
    torch.manual_seed(experts)
    logits, scale = torch.randn(2, rows, experts), torch.rand(experts) + 0.5
    weights, chosen = route(logits, scale, top_k)
    expected_weights, expected = moe.route(logits.sum(0), scale, top_k)
    assert torch.equal(chosen.long(), expected)
    torch.testing.assert_close(weights, expected_weights, rtol=1e-6, atol=1e-6)


def pairs_of(tiles: ExpertTiles) -> list[tuple[int, int]]:
    """Pair and expert of every used slot."""
    return [
        (pair, expert)
        for slots, expert in zip(tiles.slots.tolist(), tiles.experts.tolist(), strict=True)
        for pair in slots
        if pair >= 0
    ]


@pytest.mark.parametrize(
    ("rows", "experts", "top_k"), [(1, 128, 8), (16, 8, 8), (13, 40, 3), (9, 2, 1)]
)
def test_every_pair_stands_once_under_its_expert(rows: int, experts: int, top_k: int) -> None:
    torch.manual_seed(rows)
    chosen = torch.stack([torch.randperm(experts)[:top_k] for _ in range(rows)]).int()
    wanted = list(enumerate(chosen.flatten().tolist()))
    for tiles in (
        group_few(chosen, experts),
        group_many(chosen, experts, width=4),
        group_many(chosen, experts, width=64),
    ):
        assert sorted(pairs_of(tiles)) == wanted
        used = tiles.experts >= 0
        assert bool((tiles.slots[~used] == -1).all())


def test_all_rows_may_choose_the_same_experts() -> None:
    chosen = torch.tensor([[5, 0]], dtype=torch.int32).expand(50, 2).contiguous()
    assert sorted(pairs_of(group_few(chosen, 6))) == list(enumerate(chosen.flatten().tolist()))


def values(weight: Weight, experts: int) -> Tensor:
    plain = weight.dequantize() if isinstance(weight, PackedMatrix) else weight.float()
    return plain.view(experts, -1, plain.shape[-1])


@pytest.mark.parametrize("kind", ["plain", "Q4_0", "Q8_0"])
@pytest.mark.parametrize(("rows", "wide"), [(1, False), (6, False), (12, True)])
def test_the_experts_of_each_row(kind: str, rows: int, wide: bool) -> None:
    """float16 between the two products and of the weights expanded in wide tiles: 2^-8 of the largest."""
    torch.manual_seed(rows)
    experts, top_k, width, inner = 5, 2, 96, 32

    def matrices(out_rows: int, columns: int) -> Weight:
        if kind == "plain":
            return torch.randn(experts, out_rows, columns).half() / columns**0.5
        return random_packed(kind, out_rows, columns, matrices=experts)

    gate_up, down = matrices(2 * inner, width), matrices(width, inner)
    x = torch.randn(rows, width).half()
    chosen = torch.stack([torch.randperm(experts)[:top_k] for _ in range(rows)]).int()
    shares = torch.rand(rows, top_k)
    tiles = group_many(chosen, experts, width=64) if wide else group_few(chosen, experts)
    tuning = Tuning()
    middle = routed_linear(x, gate_up, tiles, tuning, x_divisor=top_k, gated=True)
    found = routed_linear(middle, down, tiles, tuning, x_divisor=1, gated=False)
    found = (found.view(rows, top_k, width).float() * shares[..., None]).sum(1)
    expected = moe.run_experts(
        x.float(), shares, chosen.long(), values(gate_up, experts), values(down, experts)
    )
    assert float((found - expected).abs().max() / expected.abs().max()) < 2**-8
