"""Norms, rotation and writing into pages on a GPU against `ops`.

bfloat16 results may differ by 2^-7: the interpreter cuts off where a GPU rounds.
"""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from gemma4.config import LayerKind, LayerSpec, RopeConfig
from gemma4.kernels.cuda.rows import add_norm, join_experts, layer_pages, norm, rope_and_write
from gemma4.ops.norm import rms_norm
from gemma4.ops.rope import cos_sin, inverse_frequencies, rotate

EPS = 1e-6
BOUNDS = {torch.float32: 1e-5, torch.float16: 2**-10, torch.bfloat16: 2**-7}


def close(found: Tensor, expected: Tensor, dtype: torch.dtype) -> None:
    torch.testing.assert_close(found.float(), expected, rtol=BOUNDS[dtype], atol=BOUNDS[dtype] / 4)


@pytest.mark.parametrize("dtype", list(BOUNDS))
@pytest.mark.parametrize(("rows", "width", "parts"), [(1, 1536, 8), (3, 100, 1), (5, 2816, 3)])
def test_stream_plus_normed_branch(rows: int, width: int, parts: int, dtype: torch.dtype) -> None:
    torch.manual_seed(width)
    x = torch.randn(rows, width).to(dtype)
    branch = torch.randn(parts, rows, width)
    weight, scalar = torch.randn(width).to(dtype), torch.randn(1).to(dtype)
    next_weights = torch.randn(3, width).to(dtype)
    out, normed = add_norm(x, branch, weight, scalar, next_weights, EPS)
    expected = x.float() + rms_norm(branch.sum(0), weight.float(), EPS)
    close(out, expected * scalar.float(), dtype)
    for found, next_weight in zip(normed, next_weights, strict=True):
        close(found, rms_norm(out.float(), next_weight.float(), EPS), dtype)


def test_without_scalar_and_next_norm() -> None:
    torch.manual_seed(0)
    x, branch, weight = torch.randn(2, 64), torch.randn(1, 2, 64), torch.randn(64)
    out, normed = add_norm(x, branch, weight, None, x.new_empty(0, 64), EPS)
    close(out, x + rms_norm(branch[0], weight, EPS), torch.float32)
    assert normed.shape == (0, 2, 64)


@pytest.mark.parametrize("dtype", list(BOUNDS))
def test_norm_alone(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    x, weight = torch.randn(4, 300).to(dtype), torch.randn(300).to(dtype)
    close(norm(x, weight, EPS), rms_norm(x.float(), weight.float(), EPS), dtype)


def test_experts_join_the_mlp() -> None:
    """float32, 1e-5."""
    torch.manual_seed(2)
    dense, sparse = torch.randn(4, 3, 176), torch.randn(3 * 8, 176)
    shares, first, second = torch.rand(3, 8), torch.randn(176), torch.randn(176)
    mixed = (sparse.view(3, 8, 176) * shares[..., None]).sum(1)
    expected = rms_norm(dense.sum(0), first, EPS) + rms_norm(mixed, second, EPS)
    found = join_experts(dense, first, sparse, shares, second, EPS)
    torch.testing.assert_close(found[0], expected, rtol=1e-5, atol=1e-5)


def spec(
    head_dim: int, heads: int, kv_heads: int, *, shared: bool, keys_are_values: bool
) -> LayerSpec:
    return LayerSpec(
        index=3,
        kind=LayerKind.FULL if head_dim == 512 else LayerKind.SLIDING,
        num_heads=heads,
        num_kv_heads=kv_heads,
        head_dim=head_dim,
        window=None if head_dim == 512 else 64,
        rope=RopeConfig(theta=1e6, rotary_fraction=0.25)
        if head_dim == 512
        else RopeConfig(theta=1e4),
        kv_source=1 if shared else 3,
        keys_are_values=keys_are_values,
        intermediate_size=8,
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "layer",
    [
        spec(256, 8, 1, shared=False, keys_are_values=False),
        spec(256, 4, 2, shared=False, keys_are_values=False),
        spec(512, 4, 1, shared=False, keys_are_values=True),
        spec(512, 4, 2, shared=False, keys_are_values=True),
        spec(256, 4, 1, shared=True, keys_are_values=False),
        replace(spec(256, 4, 2, shared=False, keys_are_values=False), normalizes_values=False),
    ],
    ids=["8:1", "4:2", "wide 4:1", "wide 4:2", "shared", "values as they are"],
)
def test_heads_are_normed_turned_and_written(layer: LayerSpec, dtype: torch.dtype) -> None:
    torch.manual_seed(layer.head_dim)
    width, kv_heads = layer.head_dim, layer.num_kv_heads
    owned = 0 if not layer.owns_kv else kv_heads * (1 if layer.keys_are_values else 2)
    projected = torch.randn(2, 5, (layer.num_heads + owned) * width)
    query_norm, key_norm = torch.randn(width).to(dtype), torch.randn(width).to(dtype)
    positions = torch.tensor([40, 41, -1, 7, 131], dtype=torch.int32)
    requests = torch.tensor([0, 0, 0, 1, 2], dtype=torch.int32)
    table = torch.tensor([[4, 1, 0, 0, 0], [3, 0, 0, 0, 0], [-1, -1, -1, 5, 2]], dtype=torch.int32)
    keys = torch.full((6, 3, kv_heads, width, 32), float("nan"), dtype=dtype)
    values = torch.full((6, 3, kv_heads, 32, width), float("nan"), dtype=dtype)
    pages = layer_pages(keys, values, 1, table)
    rotation = cos_sin(positions, inverse_frequencies(layer.rope, width), dtype)
    query = rope_and_write(
        layer, projected, query_norm, key_norm, rotation, positions, requests, pages, EPS
    )

    heads = projected.sum(0).view(5, -1, width)
    turn = tuple(part.float() for part in rotation)
    expected = rotate(rms_norm(heads[:, : layer.num_heads], query_norm.float(), EPS), *turn)
    real = positions >= 0
    close(query[real], expected[real], dtype)
    assert int((~keys.isnan()).sum()) == (4 * kv_heads * width if owned else 0)  # one lane a token
    if not owned:
        return
    raw = heads[:, layer.num_heads : layer.num_heads + kv_heads]
    value = raw if layer.keys_are_values else heads[:, layer.num_heads + kv_heads :]
    value = rms_norm(value, None, EPS) if layer.normalizes_values else value
    key = rotate(rms_norm(raw, key_norm.float(), EPS), *turn)
    places = [(0, 1, 8), (1, 1, 9), (3, 3, 7), (4, 2, 3)]
    for token, page, slot in places:
        close(keys[page, 1, :, :, slot], key[token], dtype)
        close(values[page, 1, :, slot], value[token], dtype)
