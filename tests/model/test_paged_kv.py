"""Pages against one pass, over random chunks, windows and batches. float32, 1e-5: the same few sums."""

import random

import pytest
import torch
from scattered_pages import ScatteredPages
from tiny_loaded import engine_prompt, loaded, logits_of
from tiny_media import prompt, random_image
from tiny_towers import relative_error

from gemma4.config import PAGE_TOKENS, LayerKind, LayerSpec, RopeConfig, plan_kv_groups
from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.model.batch import KV, Batch
from gemma4.model.kv import PassKV
from gemma4.model.page_table import NO_PAGE, PageTable
from gemma4.model.paged_kv import PagedKV, PageStorage

HEAD_DIM = 4
TOLERANCES = {
    torch.float32: 1e-5,
    torch.float16: 2e-3,  # half an ulp of 2^-11 a number, a few numbers a sum
    torch.bfloat16: 2e-2,  # 2^-8
    torch.int8: 3e-2,  # half a step of 1/127 of the head's largest number
}


def spec(window: int | None, *, index: int = 0, source: int = 0) -> LayerSpec:
    return LayerSpec(
        index=index,
        kind=LayerKind.FULL if window is None else LayerKind.SLIDING,
        num_heads=4,
        num_kv_heads=2,
        head_dim=HEAD_DIM,
        window=window,
        rope=RopeConfig(theta=1e4),
        kv_source=source,
        keys_are_values=False,
        intermediate_size=8,
    )


def batch(kv: KV, lengths: list[int], starts: list[int]) -> Batch:
    positions = [torch.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)]
    return Batch(
        ids=torch.zeros(sum(lengths), dtype=torch.int64),
        positions=torch.cat(positions),
        lengths=tuple(lengths),
        logit_rows=torch.arange(sum(lengths)),
        kv=kv,
    )


def chunk_sizes(generator: random.Random, total: int, window: int) -> list[int]:
    """Chunks that add up to `total`, mostly about the sizes at which pages begin and end."""
    edges = (0, 1, 2, window, window + 1, PAGE_TOKENS - 1, PAGE_TOKENS, PAGE_TOKENS + 1)
    sizes: list[int] = []
    while sum(sizes) < total:
        size = generator.choice((*edges, generator.randrange(1, 70)))
        sizes.append(min(size, total - sum(sizes)))
    return sizes


@pytest.mark.parametrize("dtype", list(TOLERANCES))
@pytest.mark.parametrize("window", [1, 2, 7, 31, 130, None])
def test_any_chunks_of_any_batch_equal_one_pass(window: int | None, dtype: torch.dtype) -> None:
    generator = random.Random(f"{window} {dtype}")
    torch.manual_seed(0)
    owner, sharer = spec(window), spec(window, index=1, source=0)
    totals = [generator.randrange(200, 400) for _ in range(3)]
    inputs = [
        (torch.randn(n, 4, HEAD_DIM), torch.randn(n, 2, HEAD_DIM), torch.randn(n, 2, HEAD_DIM))
        for n in totals
    ]
    expected = []
    for (query, key, value), total in zip(inputs, totals, strict=True):
        one = PassKV((owner, sharer))
        expected.append(one.attend(owner, query, key, value, batch(one, [total], [0])))

    pages = ScatteredPages(plan_kv_groups((owner, sharer)), num_requests=3, tokens=400, dtype=dtype)
    found: list[list[torch.Tensor]] = [[], [], []]
    sizes = [chunk_sizes(generator, total, window or 30) for total in totals]
    for step in range(max(map(len, sizes))):
        lengths = [size[step] if step < len(size) else 0 for size in sizes]
        if not sum(lengths):
            continue
        starts = [table.length for table in pages.tables]
        kv = pages.begin(lengths)
        this = batch(kv, lengths, starts)
        parts = [
            tensors[start : start + length]
            for start, length, group in zip(starts, lengths, inputs, strict=True)
            for tensors in group
        ]
        query, key, value = (torch.cat(parts[i::3]) for i in range(3))
        owned = kv.attend(owner, query, key, value, this)
        shared = kv.attend(sharer, query, None, None, this)
        torch.testing.assert_close(owned, shared, rtol=0, atol=0)
        pages.end(lengths)
        for request, piece in enumerate(owned.split(lengths)):
            found[request].append(piece)
    assert [table.length for table in pages.tables] == totals
    for pieces, whole in zip(found, expected, strict=True):
        error = float((torch.cat(pieces) - whole).abs().max() / whole.abs().max())
        assert error < TOLERANCES[dtype]


@pytest.mark.parametrize("window", [7, None])
def test_layers_that_share_may_run_for_some_rows_only(window: int | None) -> None:
    torch.manual_seed(0)
    owner, sharer = spec(window), spec(window, index=1, source=0)
    pages = ScatteredPages(plan_kv_groups((owner, sharer)), num_requests=3)
    lengths = [40, 3, 21]
    kv = pages.begin(lengths)
    whole = batch(kv, lengths, [0, 0, 0])
    query, key, value = (torch.randn(64, heads, HEAD_DIM) for heads in (4, 2, 2))
    expected = kv.attend(owner, query, key, value, whole)
    rows = torch.tensor([38, 39, 63])  # none of the second request
    found = kv.attend(sharer, query[rows], None, None, whole.select(rows))
    torch.testing.assert_close(found, expected[rows], rtol=1e-5, atol=1e-5)  # float32


def test_what_lies_behind_the_length_is_overwritten() -> None:
    """A rejected draft leaves its rows behind; the next pass writes over them."""
    torch.manual_seed(0)
    owner = spec(7)
    pages = ScatteredPages(plan_kv_groups((owner,)))
    query, key, value = (torch.randn(60, heads, HEAD_DIM) for heads in (4, 2, 2))

    def run(start: int, end: int, wrong: float = 0.0) -> torch.Tensor:
        kv = pages.begin([end - start])
        rows = slice(start, end)
        this = batch(kv, [end - start], [start])
        return kv.attend(owner, query[rows], key[rows] + wrong, value[rows] + wrong, this)

    run(0, 50)
    pages.end([50])
    run(50, 55, wrong=3.0)
    pages.end([0])
    found = run(50, 60)
    one = PassKV((owner,))
    expected = one.attend(owner, query, key, value, batch(one, [60], [0]))[50:]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)  # float32


@pytest.mark.parametrize("length", [5, 41, 100])
def test_a_drafter_finds_the_window_and_one_key_more(length: int) -> None:
    owner = spec(8)
    pages = ScatteredPages(plan_kv_groups((owner,)))
    keys = torch.randn(length, 2, HEAD_DIM)
    for start in range(0, length, 10):
        rows = slice(start, min(start + 10, length))
        size = rows.stop - rows.start
        kv = pages.begin([size])
        query = torch.randn(size, 4, HEAD_DIM)
        kv.attend(owner, query, keys[rows], 2 * keys[rows], batch(kv, [size], [start]))
        pages.end([size])
    stored = PagedKV(pages.storage, pages.tables).stored(0, 0)
    assert stored.first <= max(0, length - 9)
    torch.testing.assert_close(stored.key, keys[stored.first :], rtol=0, atol=0)
    torch.testing.assert_close(stored.value, 2 * keys[stored.first :], rtol=0, atol=0)


@pytest.mark.parametrize("kind", ["moe", "unified"])
def test_images_seen_both_ways_are_so_over_pages(kind: str) -> None:
    model = loaded(kind)
    case = prompt(*range(20, 45), random_image(kind, columns=5, rows=4), *range(50, 70))
    whole = engine_prompt(model, case)
    pages = ScatteredPages(plan_kv_groups(model.decoder.specs))
    pieces = []
    for start, end in ((0, 20), (20, 48), (48, whole.ids.numel())):
        kv = pages.begin([end - start])
        pieces.append(logits_of(model, whole, kv=kv, start=start, end=end))
        pages.end([end - start])
    assert relative_error(torch.cat(pieces), logits_of(model, whole)) < 1e-4  # float32


def test_groups_hold_the_layers_that_own_keys() -> None:
    sliding, full = plan_kv_groups(PUBLISHED_MODELS["e2b"].text.plan_layers())
    assert (sliding.kind, len(sliding.layers), sliding.head_dim, sliding.window) == (
        LayerKind.SLIDING, 12, 256, 512,
    )  # fmt: skip
    assert (full.layers, full.head_dim, full.window) == ((4, 9, 14), 512, None)
    assert plan_kv_groups(PUBLISHED_DRAFTERS["e2b"].text.plan_layers()) == ()


def test_a_storage_has_the_layout_that_kernels_read() -> None:
    groups = plan_kv_groups(loaded("e_series").decoder.specs)
    storage = PageStorage(groups, [3, 5], dtype=torch.int8, device=torch.device("cpu"))
    assert [tuple(keys.shape) for keys in storage.keys] == [(3, 4, 1, 16, 32), (5, 1, 1, 32, 32)]
    assert [tuple(values.shape) for values in storage.values] == [
        (3, 4, 1, 32, 16), (5, 1, 1, 32, 32),
    ]  # fmt: skip
    assert [tuple(scales.shape) for scales in storage.key_scales] == [(3, 4, 1, 32), (5, 1, 1, 32)]
    assert all(tensor.is_contiguous() for tensor in (*storage.keys, *storage.value_scales))


def test_a_table_that_lacks_a_page_of_the_window_is_noticed() -> None:
    groups = plan_kv_groups((spec(40),))
    table = PageTable(1)
    table.pages[0].extend([4, 9, 2])
    table.length = 90
    table.check(groups)
    table.pages[0][0] = NO_PAGE  # position 49 − 41 is still needed
    table.length = 74
    table.check(groups)
    table.length = 72
    with pytest.raises(AssertionError, match="a page of sliding_attention layers is missing"):
        table.check(groups)
