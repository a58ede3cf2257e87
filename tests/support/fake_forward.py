"""A model that stores each token's number as its key and lets the next token hang on all it reads back.

So a page that was given away too early, found by a wrong key or read in the wrong order shows in the
answer. `expected_answer` computes the same from plain lists.
"""

import zlib
from collections.abc import Callable, Sequence

import numpy as np
import torch

from gemma4.config import PAGE_TOKENS, KVGroup, LayerKind
from gemma4.engine.engine import Engine
from gemma4.engine.limits import Limits
from gemma4.model.batch import Batch
from gemma4.model.gemma4 import Output
from gemma4.model.page_table import PageTable
from gemma4.model.paged_kv import PagedKV, PageStorage

VOCAB = 32
WINDOW = 40


def fake_groups(window: int = WINDOW) -> tuple[KVGroup, ...]:
    """One sliding and one full layer with keys of one number."""
    return tuple(
        KVGroup(kind=kind, layers=(index,), num_kv_heads=1, head_dim=1, window=width)
        for index, (kind, width) in enumerate([(LayerKind.SLIDING, window), (LayerKind.FULL, None)])
    )


def fake_engine(
    num_pages: Sequence[int],
    limits: Limits,
    *,
    window: int = WINDOW,
    forward: Callable[[Batch], Output] | None = None,
    **options: object,
) -> Engine:
    """An engine over `fake_forward`."""
    storage = PageStorage(
        fake_groups(window), num_pages, dtype=torch.float32, device=torch.device("cpu")
    )
    return Engine(forward or fake_forward, storage, vocab_size=VOCAB, limits=limits, **options)


def fake_forward(batch: Batch) -> Output:
    """Store, read back, and score the next token of each row whose logits are wanted."""
    kv = batch.kv
    assert isinstance(kv, PagedKV)
    numbers = batch.ids.numpy().astype(np.float32)
    if batch.soft_rows is not None:
        numbers[batch.soft_rows.numpy()] = batch.soft_tokens[:, 0].numpy()
    positions = batch.positions.numpy()
    wanted = set(batch.logit_rows.tolist())
    stores = [keys.numpy()[:, 0, 0, 0] for keys in kv.storage.keys]
    tokens, row = [], 0
    for table, length in zip(kv.tables, batch.lengths, strict=True):
        rows = slice(row, row + length)
        for store, pages in zip(stores, table.pages, strict=True):
            held = np.array(pages)[positions[rows] // PAGE_TOKENS]
            assert (held >= 0).all(), "a token has no page"
            store[held, positions[rows] % PAGE_TOKENS] = numbers[rows]
        for one in range(row, row + length):
            if one in wanted:
                tokens.append(_next_of(_read(kv, stores, table, int(positions[one]))))
        row += length
    logits = torch.zeros(len(tokens), VOCAB)
    logits.scatter_(1, torch.tensor(tokens, dtype=torch.int64)[:, None], 1.0)
    return Output(hidden=torch.zeros(len(tokens), 1), logits=logits)


def expected_answer(
    numbers: Sequence[float], budget: int, stop_ids: frozenset[int] = frozenset()
) -> list[int]:
    """The ids behind a prompt of these numbers (its ids, or what its soft tokens are)."""
    known, answer = list(numbers), []
    while len(answer) < budget:
        token = _next_of(np.array(known, dtype=np.float32))
        if token in stop_ids:
            break
        answer.append(token)
        known.append(float(token))
    return answer


def _read(kv: PagedKV, stores: Sequence[np.ndarray], table: PageTable, position: int) -> np.ndarray:
    """All numbers up to a position; the sliding pages must hold the last of them."""
    found = []
    for group, store, pages in zip(kv.storage.groups, stores, table.pages, strict=True):
        first = 0 if group.window is None else max(0, position + 1 - group.window)
        blocks = np.array(pages[first // PAGE_TOKENS : position // PAGE_TOKENS + 1])
        assert (blocks >= 0).all(), "a page of the window is gone"
        lanes = store[blocks].reshape(-1)
        start = first % PAGE_TOKENS
        found.append(lanes[start : start + position + 1 - first])
    sliding, full = found
    assert np.array_equal(sliding, full[-len(sliding) :]), "the groups disagree"
    return full


def _next_of(numbers: np.ndarray) -> int:
    return zlib.crc32(numbers.tobytes()) % VOCAB
