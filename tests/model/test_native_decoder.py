"""The native programs beside the modules: float32 weights and pages, so only the order of sums differs."""

from dataclasses import replace

import pytest
import torch
from native_models import SIZES, page_storage, page_table, random_model

from gemma4.kernels.native import Native, find_native
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output
from gemma4.model.native import NativeDecoder
from gemma4.model.paged_kv import PagedKV, PageStorage

LENGTH = 100
RELATIVE = 2e-5  # of the largest logit, float32


def native() -> Native:
    found = find_native(num_threads=2)
    assert isinstance(found, Native), found
    return found


def ids(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(1, 500, (count,), generator=torch.Generator().manual_seed(seed))


def one_request(
    storage: PageStorage, tokens: torch.Tensor, start: int, rows: torch.Tensor, first_page: int = 0
) -> Batch:
    count = tokens.numel()
    return Batch(
        ids=tokens,
        positions=torch.arange(start, start + count),
        lengths=(count,),
        logit_rows=rows,
        kv=PagedKV(storage, [page_table(storage, first_page, 8)]),
    )


def assert_close(ours: Output, theirs: Output) -> None:
    """float32: relative to the largest of the expected numbers."""
    for mine, reference in ((ours.hidden, theirs.hidden), (ours.logits, theirs.logits)):
        error = (mine - reference).abs().max() / reference.abs().max()
        assert error < RELATIVE, f"relative error {error:.2e}"


@pytest.mark.parametrize("size", SIZES)
def test_a_prompt_and_steps_behind_it_give_the_modules_numbers(size: str) -> None:
    model = random_model(size)
    ours, reference = (page_storage(model, torch.float32) for _ in range(2))
    fast = NativeDecoder(model, ours, native(), tokens=32)
    tokens = ids(LENGTH + 3)
    spans = [(0, 70, [69]), (70, 30, []), (100, 1, [0]), (101, 2, [0, 1])]
    for start, count, rows in spans:
        part, wanted = tokens[start : start + count], torch.tensor(rows, dtype=torch.int64)
        with torch.inference_mode():
            expected = model(one_request(reference, part, start, wanted))
            got = fast(one_request(ours, part, start, wanted))
        assert got.logits.shape == expected.logits.shape
        if rows:
            assert_close(got, expected)


@pytest.mark.parametrize("size", SIZES)
def test_a_row_has_the_same_bits_in_any_company(size: str) -> None:
    model = random_model(size)
    tokens = ids(LENGTH)
    alone = page_storage(model, torch.float16)
    fast = NativeDecoder(model, alone, native(), tokens=128)
    last = torch.tensor([LENGTH - 1])
    whole = fast(one_request(alone, tokens, 0, last)).logits
    for start in range(0, LENGTH, 7):  # in chunks
        part = tokens[start : start + 7]
        rows = torch.tensor([part.numel() - 1])
        chunked = fast(one_request(alone, part, start, rows, first_page=8)).logits
    assert torch.equal(whole, chunked)
    for step in range(LENGTH):  # token by token
        single = fast(
            one_request(alone, tokens[step : step + 1], step, torch.tensor([0]), 16)
        ).logits
    assert torch.equal(whole, single)
    others = [ids(30, seed=1), ids(LENGTH, seed=2)]  # among strangers
    together = Batch(
        ids=torch.cat([others[0], tokens, others[1]]),
        positions=torch.cat([torch.arange(30), torch.arange(LENGTH), torch.arange(LENGTH)]),
        lengths=(30, LENGTH, LENGTH),
        logit_rows=torch.tensor([5, 30 + LENGTH - 1, 30 + LENGTH + 3]),
        kv=PagedKV(alone, [page_table(alone, 24 + 8 * number, 8) for number in range(3)]),
    )
    assert torch.equal(whole[0], fast(together).logits[1])


@pytest.mark.parametrize("size", ["12b", "26b-a4b"])
def test_images_are_seen_both_ways_in_sliding_layers(size: str) -> None:
    model = random_model(size)
    ours, reference = (page_storage(model, torch.float32) for _ in range(2))
    tokens, spans = ids(60), torch.full((60,), -1)
    spans[10:25], spans[25:50] = 0, 1
    soft = torch.randn(40, 64, generator=torch.Generator().manual_seed(3))
    changes = {"spans": spans, "soft_rows": torch.arange(10, 50), "soft_tokens": soft}
    every = torch.arange(60)
    with torch.inference_mode():
        expected = model(replace(one_request(reference, tokens, 0, every), **changes))
        fast = NativeDecoder(model, ours, native(), tokens=64)
        got = fast(replace(one_request(ours, tokens, 0, every), **changes))
        blind = fast(replace(one_request(ours, tokens, 0, every), **{**changes, "spans": None}))
    assert_close(got, expected)
    assert (blind.logits - expected.logits).abs().max() > 1e-2 * expected.logits.abs().max()


@pytest.mark.parametrize(
    ("dtype", "relative"), [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.int8, 3e-2)]
)
def test_narrow_pages_cost_what_their_rounding_costs(dtype: torch.dtype, relative: float) -> None:
    """The modules round keys and values the same way: their own error is the measure."""
    model = random_model("31b")
    ours, reference = (page_storage(model, dtype) for _ in range(2))
    tokens, every = ids(LENGTH), torch.arange(LENGTH)
    with torch.inference_mode():
        expected = model(one_request(reference, tokens, 0, every)).logits
        got = NativeDecoder(model, ours, native(), tokens=LENGTH)(
            one_request(ours, tokens, 0, every)
        ).logits
    assert (got - expected).abs().max() < relative * expected.abs().max()
