"""Final hidden states of every token of a text, in passes over pages of its own.

It stands beside the engine that answers and shares nothing with it but the weights: whoever runs both
takes turns, a pass each. No score is computed.

Letters: T tokens, D model width.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext

import torch
from torch import Tensor

from ..config import PAGE_TOKENS, plan_kv_groups
from ..fit.activations import PREFILL_CHUNK
from ..fit.pages import held_pages
from ..kernels.native import Native
from ..model.batch import Batch
from ..model.gemma4 import Gemma4
from ..model.native import NativeDecoder
from ..model.page_table import PageTable
from ..model.paged_kv import PagedKV, PageStorage
from .one_torch_thread import one_torch_thread
from .page_cache import PageCache


class HiddenStates:
    """Reads one text after the other.

    A text is always cut at the same places and read alone, so its numbers depend on nothing else.

    Args:
        length: tokens of the longest text.
        kv_dtype: of keys and values.
        kernels: that compute; None: the modules themselves, on whatever device they are.
        chunk: tokens of one pass.
    """

    def __init__(
        self,
        model: Gemma4,
        *,
        length: int,
        kv_dtype: torch.dtype,
        kernels: Native | None = None,
        chunk: int = PREFILL_CHUNK,
    ) -> None:
        groups = plan_kv_groups(model.decoder.specs)
        pages = [held_pages(group, length, chunk) for group in groups]
        self._storage = PageStorage(groups, pages, dtype=kv_dtype, device=model.device)
        self._length, self._chunk = length, chunk
        self._pass: Callable[[Batch], Tensor] = model.decoder
        self._beside = nullcontext() if kernels is None else one_torch_thread
        if kernels is not None:
            tokens = min(length, chunk)
            self._pass = NativeDecoder(model, self._storage, kernels, tokens=tokens).hidden

    def read(self, ids: Sequence[int]) -> Iterator[Tensor]:
        """Hidden states after the final norm, [T', D] of each pass, in order."""
        assert len(ids) <= self._length, f"{len(ids)} ids and room for {self._length}"
        cache = PageCache(self._storage.groups, self._storage.num_pages)
        table = PageTable(len(self._storage.groups))
        for start in range(0, len(ids), self._chunk):
            end = min(start + self._chunk, len(ids))
            has_room = cache.reserve(table, end)
            assert has_room, "pages were planned for the whole text"
            with torch.inference_mode(), self._beside:
                hidden = self._pass(self._batch(ids[start:end], start, table))
            cache.advance(table, end, _keys(end))
            yield hidden

    def _batch(self, ids: Sequence[int], start: int, table: PageTable) -> Batch:
        device = self._storage.device
        rows = torch.arange(len(ids), device=device)
        return Batch(
            ids=torch.tensor(ids, dtype=torch.int64, device=device),
            positions=rows + start,
            lengths=(len(ids),),
            logit_rows=rows,
            kv=PagedKV(self._storage, [table]),
        )


def _keys(end: int) -> list[bytes]:
    """Names for pages that nobody will look for."""
    return [block.to_bytes(4, "big") for block in range(end // PAGE_TOKENS)]
