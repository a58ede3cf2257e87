"""Buffers that could not grow: the pass fails, and the next one is right, whatever had been built by then."""

import pytest
import torch
from native_models import page_storage, page_table, random_drafter, random_model
from native_products import native

from gemma4.model.batch import Batch
from gemma4.model.native import NativeDecoder, NativeDrafter
from gemma4.model.native.workspace import Kept, Workspace
from gemma4.model.paged_kv import PagedKV, PageStorage

TOKENS = 40  # more rows than a tail has room for at first
FEW = 8
REQUESTS = 6  # more than a drafter has room for at first
EVERY = 5  # of the things that a growth puts into a workspace, each so many-th is refused in turn


class Refusal:
    """Memory that is short at the n-th thing put into a workspace; None: never, things are counted."""

    def __init__(self, patch: pytest.MonkeyPatch, at: int | None) -> None:
        self.count = 0

        def keep(space: Workspace, thing: Kept) -> Kept:
            self.count += 1
            if self.count - 1 == at:
                raise MemoryError
            space._kept.append(thing)
            return thing

        patch.setattr(Workspace, "keep", keep)


def batch(storage: PageStorage, count: int) -> Batch:
    """The first tokens of one text; logits of them all."""
    ids = torch.randint(1, 500, (TOKENS,), generator=torch.Generator().manual_seed(8))[:count]
    return Batch(
        ids=ids,
        positions=torch.arange(count),
        lengths=(count,),
        logit_rows=torch.arange(count),
        kv=PagedKV(storage, [page_table(storage, 0, 2)]),
    )


@pytest.mark.parametrize("size", ["e2b", "26b-a4b"])
def test_a_decoder_goes_on_after_a_pass_that_found_no_memory(
    size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, kernels = random_model(size), native()
    storage = page_storage(model, torch.float16, pages=2)

    def opened() -> NativeDecoder:
        decoder = NativeDecoder(model, storage, kernels, tokens=FEW)
        decoder(batch(storage, FEW))
        return decoder

    decoder = opened()
    with monkeypatch.context() as patch:
        growth = Refusal(patch, None)
        expected = decoder(batch(storage, TOKENS)).logits
    assert growth.count > 2 * EVERY
    for at in [*range(0, growth.count, EVERY), growth.count - 1]:
        decoder = opened()
        with monkeypatch.context() as patch:
            Refusal(patch, at)
            with pytest.raises(MemoryError):
                decoder(batch(storage, TOKENS))
        assert torch.equal(decoder(batch(storage, FEW)).logits, expected[:FEW])
        assert torch.equal(decoder(batch(storage, TOKENS)).logits, expected)


@pytest.mark.parametrize("size", ["e2b", "31b"])
@torch.inference_mode()
def test_a_drafter_does_too(size: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target, kernels = random_model(size), native()
    storage = page_storage(target, torch.float16, pages=2)
    hidden = NativeDecoder(target, storage, kernels, tokens=TOKENS)(batch(storage, TOKENS)).hidden
    table = page_table(storage, 0, 2)

    def drafted(drafter: NativeDrafter, requests: int) -> torch.Tensor:
        """Scores of requests that have read 30 tokens, 31, and so on."""
        read = [30 + number for number in range(requests)]
        drafter.begin(hidden[[count - 1 for count in read]], [table] * requests, read)
        return drafter.step(range(1, requests + 1)).clone()

    def opened() -> NativeDrafter:
        drafter = NativeDrafter(random_drafter(size), target, storage, kernels)
        drafted(drafter, 1)
        return drafter

    drafter = opened()
    with monkeypatch.context() as patch:
        growth = Refusal(patch, None)
        expected = drafted(drafter, REQUESTS)
    for at in [*range(0, growth.count, EVERY), growth.count - 1]:
        drafter = opened()
        with monkeypatch.context() as patch:
            Refusal(patch, at)
            with pytest.raises(MemoryError):
                drafted(drafter, REQUESTS)
        assert torch.equal(drafted(drafter, 1), expected[:1])
        assert torch.equal(drafted(drafter, REQUESTS), expected)
