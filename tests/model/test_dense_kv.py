"""The cache against one pass, over random chunks, windows and batches. float32, 1e-5: the same few sums."""

import random

import pytest
import torch

from gemma4.config import LayerKind, LayerSpec, RopeConfig
from gemma4.model.batch import Batch
from gemma4.model.kv import SLACK, DenseKV, PassKV

HEAD_DIM = 4


def spec(window: int | None, *, index: int = 0, source: int = 0) -> LayerSpec:
    return LayerSpec(
        index=index,
        kind=LayerKind.FULL if window is None else LayerKind.SLIDING,
        num_heads=2,
        num_kv_heads=1,
        head_dim=HEAD_DIM,
        window=window,
        rope=RopeConfig(theta=1e4),
        kv_source=source,
        keys_are_values=False,
        intermediate_size=8,
    )


def batch(kv: DenseKV | PassKV, lengths: list[int], starts: list[int]) -> Batch:
    positions = [torch.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)]
    return Batch(
        ids=torch.zeros(sum(lengths), dtype=torch.int64),
        positions=torch.cat(positions),
        lengths=tuple(lengths),
        logit_rows=torch.arange(sum(lengths)),
        kv=kv,
    )


def chunk_sizes(generator: random.Random, total: int, window: int) -> list[int]:
    """Chunks that add up to `total`, mostly about the sizes at which a buffer changes its ways."""
    edges = (0, 1, 2, window - 1, window, window + 1, window + SLACK, window + SLACK + 2)
    sizes: list[int] = []
    while sum(sizes) < total:
        size = generator.choice((*edges, generator.randrange(1, 40)))
        sizes.append(min(max(size, 0), total - sum(sizes)))
    return sizes


@pytest.mark.parametrize("window", [1, 2, 7, 130, 400, None])
@pytest.mark.parametrize("capacity", [1, 20, 600])
def test_any_chunks_of_any_batch_equal_one_pass(window: int | None, capacity: int) -> None:
    generator = random.Random(f"{window} {capacity}")
    torch.manual_seed(0)
    owner, sharer = spec(window), spec(window, index=1, source=0)
    totals = [generator.randrange(300, 600) for _ in range(3)]
    inputs = [
        (torch.randn(n, 2, HEAD_DIM), torch.randn(n, 1, HEAD_DIM), torch.randn(n, 1, HEAD_DIM))
        for n in totals
    ]
    expected = []
    for (query, key, value), total in zip(inputs, totals, strict=True):
        one = PassKV((owner, sharer))
        expected.append(one.attend(owner, query, key, value, batch(one, [total], [0])))

    kv = DenseKV(
        (owner, sharer), num_requests=3, capacity=capacity, dtype=torch.float32, device="cpu"
    )
    found: list[list[torch.Tensor]] = [[], [], []]
    sizes = [chunk_sizes(generator, total, window or 30) for total in totals]
    starts = [0, 0, 0]
    for step in range(max(map(len, sizes))):
        lengths = [size[step] if step < len(size) else 0 for size in sizes]
        if not sum(lengths):
            continue
        this = batch(kv, lengths, starts)
        parts = [
            tensors[start : start + length]
            for start, length, group in zip(starts, lengths, inputs, strict=True)
            for tensors in group
        ]
        query, key, value = (torch.cat(parts[i::3]) for i in range(3))
        owned = kv.attend(owner, query, key, value, this)
        shared = kv.attend(sharer, query, None, None, this)
        kv.check()
        torch.testing.assert_close(owned, shared, rtol=0, atol=0)
        for request, piece in enumerate(owned.split(lengths)):
            found[request].append(piece)
            starts[request] += lengths[request]
            assert kv.length(request) == starts[request]
    for pieces, whole in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.cat(pieces), whole, rtol=1e-5, atol=1e-5)
