"""The drafter as a native program beside its modules, on keys that the native target stored."""

from dataclasses import dataclass

import pytest
import torch
from native_models import DRAFTED, page_storage, page_table, random_drafter, random_model
from native_products import native
from torch import Tensor

from gemma4.config import LayerKind
from gemma4.errors import CheckpointError
from gemma4.model.batch import Batch
from gemma4.model.drafter import BorrowedKV, Drafter
from gemma4.model.embedding import embed_tokens
from gemma4.model.gemma4 import Gemma4
from gemma4.model.native import NativeDecoder, NativeDrafter
from gemma4.model.page_table import PageTable
from gemma4.model.paged_kv import PagedKV, PageStorage
from gemma4.quant import FORMATS, BlockMatrix, PackedLinear, PackedTable
from gemma4.quant.encode import encode

LENGTHS = (97, 5, 41, 64, 24)  # the window is 40; more requests than there is room for at first
STEPS = 3
RELATIVE = 2e-5  # of the largest score, float32: only the order of sums differs


@dataclass(frozen=True)
class Read:
    """Requests that the target has read, a few tokens more than count."""

    storage: PageStorage
    tables: list[PageTable]
    hidden: Tensor
    tokens: list[int]


def read(target: Gemma4, dtype: torch.dtype) -> Read:
    storage = page_storage(target, dtype)
    decoder = NativeDecoder(target, storage, native(), tokens=32)
    tables, hidden, tokens = [], [], []
    generator = torch.Generator().manual_seed(5)
    for number, length in enumerate(LENGTHS):
        table = page_table(storage, 4 * number, 4)
        ids = torch.randint(1, 500, (length + 3,), generator=generator)
        output = decoder(
            Batch(
                ids=ids,
                positions=torch.arange(length + 3),
                lengths=(length + 3,),
                logit_rows=torch.tensor([length - 1]),
                kv=PagedKV(storage, [table]),
            )
        )
        table.length = length + 3
        tables.append(table)
        hidden.append(output.hidden[0])
        tokens.append(int(output.logits[0].argmax()))
    return Read(storage, tables, torch.stack(hidden), tokens)


def drafts_of_modules(drafter: Drafter, target: Gemma4, requests: Read) -> list[Tensor]:
    """Scores [B, V] of each step, of greedy drafts."""
    kv = PagedKV(requests.storage, requests.tables)
    sources = {spec.kind: spec.index for spec in target.decoder.specs if spec.owns_kv}
    keys = [
        {kind: kv.stored(sources[kind], number, torch.float32) for kind in LayerKind}
        for number in range(len(LENGTHS))
    ]
    borrowed = BorrowedKV(keys, LENGTHS)
    last, hidden, rows = torch.tensor(requests.tokens), requests.hidden, []
    for _ in range(STEPS):
        embedded = embed_tokens(last, target.decoder.embed_tokens)
        draft = drafter(embedded, hidden, torch.tensor(LENGTHS) - 1, borrowed)
        rows.append(draft.logits)
        last, hidden = draft.logits.argmax(-1), draft.hidden
    return rows


def drafts_of_program(ours: NativeDrafter, requests: Read, chosen: list[int]) -> list[Tensor]:
    """The same for some of the requests."""
    ours.begin(
        requests.hidden[chosen],
        [requests.tables[i] for i in chosen],
        [LENGTHS[i] for i in chosen],
    )
    last, rows = [requests.tokens[i] for i in chosen], []
    for _ in range(STEPS):
        rows.append(ours.step(last).clone())
        last = rows[-1].argmax(-1).tolist()
    return rows


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int8], ids=str)
@pytest.mark.parametrize("size", DRAFTED)
@torch.inference_mode()
def test_drafts_are_those_of_the_modules(size: str, dtype: torch.dtype) -> None:
    target, drafter = random_model(size), random_drafter(size)
    requests = read(target, dtype)
    expected = drafts_of_modules(drafter, target, requests)
    ours = NativeDrafter(drafter, target, requests.storage, native())
    found = drafts_of_program(ours, requests, list(range(len(LENGTHS))))
    for got, wanted in zip(found, expected, strict=True):
        assert (got - wanted).abs().max() < RELATIVE * wanted.abs().max()
        assert torch.equal(got.argmax(-1), wanted.argmax(-1))


@pytest.mark.parametrize("size", DRAFTED)
@torch.inference_mode()
def test_a_request_gets_the_same_bits_alone_and_among_others(size: str) -> None:
    target, drafter = random_model(size), random_drafter(size)
    requests = read(target, torch.float16)
    ours = NativeDrafter(drafter, target, requests.storage, native())
    together = drafts_of_program(ours, requests, list(range(len(LENGTHS))))
    for number in range(len(LENGTHS)):
        alone = drafts_of_program(ours, requests, [number])
        for step in range(STEPS):
            assert torch.equal(alone[step][0], together[step][number])


@pytest.mark.parametrize("word", [-1, 1 << 40])
def test_an_ordering_of_words_that_are_none_is_refused(word: int) -> None:
    """The kernels would read and write where it says."""
    target, drafter = random_model("e2b"), random_drafter.__wrapped__("e2b")
    drafter.masked_embedding.token_ordering[7] = word
    storage = page_storage(target, torch.float16)
    with pytest.raises(CheckpointError, match=rf"token_ordering names word {word} and the vocab"):
        NativeDrafter(drafter, target, storage, native())


@torch.inference_mode()
def test_a_drafter_in_blocks_is_computed_from_them() -> None:
    """float32, 3 % of the scores' size: activations are rounded to 8 bits beside Q8_0."""
    target = random_model("e2b")
    requests = read(target, torch.float16)
    packed, expanded = (random_drafter.__wrapped__("e2b") for _ in range(2))
    for name, module in list(packed.named_modules()):
        if not isinstance(module, torch.nn.Linear) and name != "model.embed_tokens":
            continue
        format = FORMATS["Q8_0"]
        rows = encode(module.weight, format, name=name)
        matrix = BlockMatrix(format=format, raw=rows, columns=module.weight.shape[1])
        is_table = name == "model.embed_tokens"
        stand_in = PackedTable(matrix, torch.float32) if is_table else PackedLinear(matrix)
        packed.set_submodule(name, stand_in)
        decoded = matrix.decode(0, matrix.shape[0], torch.float32)
        expanded.get_submodule(name).weight.copy_(decoded)
    expected = drafts_of_modules(expanded, target, requests)[0]
    same = drafts_of_modules(packed, target, requests)[0]
    torch.testing.assert_close(same, expected, rtol=1e-5, atol=1e-5)
    ours = NativeDrafter(packed, target, requests.storage, native())
    got = drafts_of_program(ours, requests, list(range(len(LENGTHS))))[0]
    off = (got - expected).square().mean(-1).sqrt() / expected.square().mean(-1).sqrt()
    assert float(off.median()) < 0.03, off
