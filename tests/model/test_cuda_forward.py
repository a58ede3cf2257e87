"""The GPU's forward beside the modules whose weights it shares; its kernels run in Triton's interpreter."""

from dataclasses import replace

import pytest
import torch
from cuda_engines import KERNELS, small_model, tile_matrices
from native_models import page_storage, page_table
from torch import Tensor

from gemma4.kernels.cuda.modules import TiledLinear
from gemma4.model.batch import Batch
from gemma4.model.cuda import open_forward
from gemma4.model.gemma4 import Gemma4, Output
from gemma4.model.kv import PassKV
from gemma4.model.paged_kv import PagedKV, PageStorage

CONTEXT = 64


def ids(count: int) -> Tensor:
    return torch.randint(1, 60, (count,), generator=torch.Generator().manual_seed(count))


def passes(storage: PageStorage) -> list[Batch]:
    """A chunk of 17 tokens with one row wanted; a short chunk without; then a token with two drafts."""
    tokens, batches, start = ids(24), [], 0
    for count, rows in ((17, [16]), (4, []), (3, [0, 1, 2])):
        batches.append(
            Batch(
                ids=tokens[start : start + count],
                positions=torch.arange(start, start + count),
                lengths=(count,),
                logit_rows=torch.tensor(rows, dtype=torch.int64),
                kv=PagedKV(storage, [page_table(storage, 3, 1)]),
            )
        )
        start += count
    return batches


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@torch.inference_mode()
def compare(model: Gemma4, expected: list[Output], bound: float, **changes: Tensor) -> None:
    storage = page_storage(model, model.dtype)
    forward = open_forward(model, storage, KERNELS, context=CONTEXT)
    batches = passes(storage)
    batches[0] = replace(batches[0], **changes)
    for batch, theirs in zip(batches, expected, strict=True):
        ours = forward(batch)
        assert ours.hidden.shape == theirs.hidden.shape
        assert ours.logits.shape == theirs.logits.shape
        if len(theirs.logits):
            assert relative(ours.hidden, theirs.hidden) < bound
            assert relative(ours.logits, theirs.logits) < bound
    forward.check()


@torch.inference_mode()
def by_modules(model: Gemma4, **changes: Tensor) -> list[Output]:
    batches = passes(page_storage(model, model.dtype))
    batches[0] = replace(batches[0], **changes)
    return [model(batch) for batch in batches]


@pytest.mark.parametrize("form", ["e_series", "dense"])
def test_soft_tokens_take_their_places_and_images_see_themselves(form: str) -> None:
    """float32, 1e-5 of the norm: sums are ordered otherwise. The dense form sees images both ways."""
    model = small_model(form)
    changes = {"soft_rows": torch.arange(4, 15), "soft_tokens": torch.randn(11, 64)}
    if form == "dense":
        spans = torch.full((17,), -1)
        spans[4:12], spans[12:15] = 0, 1
        changes["spans"] = spans
    expected = by_modules(model, **changes)
    compare(model, expected, 1e-5, **changes)
    assert relative(by_modules(model)[0].logits, expected[0].logits) > 1e-2


def whole_logits(model: Gemma4) -> Tensor:
    batch = Batch(
        ids=ids(12),
        positions=torch.arange(12),
        lengths=(12,),
        logit_rows=torch.arange(12),
        kv=PassKV(model.decoder.specs),
    )
    return model(batch).logits


def test_modules_keep_views_of_what_was_stacked() -> None:
    """Q4_0 in float16: the same bits before and after; the kernels within 2e-2 of the norm of the modules."""
    model = tile_matrices(small_model("moe", torch.float16))
    expected, before = by_modules(model), whole_logits(model)
    compare(model, expected, 2e-2)
    assert torch.equal(whole_logits(model), before)
    layer = model.decoder.layers[0]
    gate, up = layer.mlp.gate_proj, layer.mlp.up_proj
    assert isinstance(gate, TiledLinear)
    assert gate.matrix.words.untyped_storage().data_ptr() == (
        up.matrix.words.untyped_storage().data_ptr()
    )


def test_plain_weights_are_shared_too() -> None:
    model = small_model("dense")
    before = whole_logits(model)
    open_forward(model, page_storage(model, torch.float32), KERNELS, context=CONTEXT)
    assert torch.equal(whole_logits(model), before)
    heads = model.decoder.layers[0].self_attn
    stores = {
        part.weight.untyped_storage().data_ptr()
        for part in (heads.q_proj, heads.k_proj, heads.v_proj)
    }
    assert len(stores) == 1


def test_pages_of_another_dtype_are_our_own_mistake() -> None:
    model = small_model("dense")
    with pytest.raises(AssertionError, match=r"pages of torch\.float16 beside .*float32"):
        open_forward(model, page_storage(model, torch.float16), KERNELS, context=CONTEXT)
