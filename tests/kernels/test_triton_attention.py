"""Attention over pages on a GPU against `ops.attention`. Lanes nobody wrote hold NaN, as any bytes may.

float32: 1e-5. float16: 2^-9, the weights of the softmax are rounded before they meet the values.
"""

import pytest
import torch
from torch import Tensor
from triton_pages import attention_spec, scatter_pages

from gemma4.config import LayerSpec
from gemma4.kernels.cuda.attention import (
    attend_many,
    attend_one,
    query_runs,
    tokens_of_a_run,
    visible_range,
)
from gemma4.kernels.cuda.tuning import Tuning
from gemma4.ops.attention import attend

BOUNDS = {torch.float32: 1e-5, torch.float16: 2**-9}
# head width, query heads, kv heads, window: every ratio of the family, and one that is no power of two
SHAPES = [
    (256, 8, 1, 40),
    (512, 8, 1, None),
    (256, 8, 2, 33),
    (256, 4, 2, 1),
    (512, 16, 1, None),
    (512, 2, 2, None),
    (64, 6, 2, 70),
]


def drawn(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return torch.randn(shape).to(dtype)


@pytest.mark.parametrize(("programs", "dtype"), [(1, torch.float32), (24, torch.float16)])
@pytest.mark.parametrize(("width", "heads", "kv_heads", "window"), SHAPES)
def test_one_query_a_request(
    width: int, heads: int, kv_heads: int, window: int | None, programs: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(width + heads)
    spec = attention_spec(width, heads, kv_heads, window)
    lengths = [1, 32, 131]
    keys = [drawn((n, kv_heads, width), dtype) for n in lengths]
    values = [drawn((n, kv_heads, width), dtype) for n in lengths]
    first = [0 if window is None else max(0, n - window) for n in lengths]
    pages = scatter_pages(keys, values, first)
    query = drawn((4, heads, width), dtype)
    pages = type(pages)(pages.keys, pages.values, torch.cat((pages.table, pages.table[:1])))
    positions = torch.tensor([n - 1 for n in lengths] + [-1], dtype=torch.int32)
    out = attend_one(spec, query, pages, positions, Tuning(attention_programs=programs))
    for i, (key, value) in enumerate(zip(keys, values, strict=True)):
        expected = attend(
            query[i : i + 1].float(),
            key.float(),
            value.float(),
            query_positions=positions[i : i + 1].long(),
            first_key=0,
            window=window,
            scale=spec.attention_scale,
        )
        torch.testing.assert_close(
            out[i : i + 1].float(), expected, rtol=BOUNDS[dtype], atol=BOUNDS[dtype]
        )
    assert torch.equal(out[3], torch.zeros_like(out[3]))  # a row that stands for nobody


def check_chunks(
    spec: LayerSpec, chunks: list[tuple[int, int]], dtype: torch.dtype, spans: list[Tensor] | None
) -> None:
    """Chunks (start, end) of requests, each with all its earlier keys."""
    width, kv_heads, window = spec.head_dim, spec.num_kv_heads, spec.window
    keys = [drawn((end, kv_heads, width), dtype) for _, end in chunks]
    values = [drawn((end, kv_heads, width), dtype) for _, end in chunks]
    first = [0 if window is None else max(0, start - window + 1) for start, _ in chunks]
    pages = scatter_pages(keys, values, first)
    lengths = tuple(end - start for start, end in chunks)
    positions = torch.cat([torch.arange(start, end) for start, end in chunks])
    query = drawn((len(positions), spec.num_heads, width), dtype)
    packed_spans = None if spans is None else torch.cat(spans)
    low, high = visible_range(positions, window, packed_spans, lengths)
    runs = query_runs(lengths, tokens_of_a_run(spec), query.device)
    out = attend_many(spec, query, pages, low, high, runs)
    for i, (found, asked) in enumerate(zip(out.split(lengths), query.split(lengths), strict=True)):
        start, end = chunks[i]
        if start == end:
            continue
        span = None if spans is None else spans[i]
        expected = attend(
            asked.float(),
            keys[i].float(),
            values[i].float(),
            query_positions=torch.arange(start, end),
            first_key=0,
            window=window,
            scale=spec.attention_scale,
            query_spans=span,
            key_spans=None if span is None else torch.cat((span.new_full((start,), -1), span)),
        )
        torch.testing.assert_close(found.float(), expected, rtol=BOUNDS[dtype], atol=BOUNDS[dtype])


@pytest.mark.parametrize(
    ("dtype", "width", "heads", "kv_heads", "window"),
    [*((torch.float32, *shape) for shape in SHAPES), *((torch.float16, *s) for s in SHAPES[:3])],
)
def test_chunks_of_prompts(
    dtype: torch.dtype, width: int, heads: int, kv_heads: int, window: int | None
) -> None:
    torch.manual_seed(width)
    spec = attention_spec(width, heads, kv_heads, window)
    check_chunks(spec, [(0, 9), (70, 75), (31, 31), (100, 101)], dtype, None)


@pytest.mark.parametrize("window", [8, 40, None])
def test_images_see_themselves_both_ways(window: int | None) -> None:
    """Spans at both ends of a chunk, across pages, longer than the window, beside one another."""
    torch.manual_seed(5)
    spec = attention_spec(64, 4, 2, window)
    first = torch.tensor([0] * 12 + [-1] * 3 + [1] * 20 + [2] * 5)
    second = torch.tensor([-1] * 10 + [0] * 35)
    check_chunks(spec, [(0, 40), (25, 70)], torch.float32, [first, second])
    if window is None:
        return
    low, high = visible_range(torch.arange(40), window, first, (40,))
    assert high[:16].tolist() == [12] * 12 + [13, 14, 15, 35]
    assert low[12:16].tolist() == [max(0, p - window + 1) for p in range(12, 16)]
