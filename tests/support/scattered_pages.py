"""Page tables for tests: pages in no order, of a storage full of NaN, taken away as the window moves on."""

import random

import torch

from gemma4.config import KVGroup
from gemma4.model.page_table import NO_PAGE, PageTable, blocks_of, first_kept_block
from gemma4.model.paged_kv import PagedKV, PageStorage


class ScatteredPages:
    """Requests that share one storage; `begin` a pass, run it, then `end` it."""

    def __init__(
        self,
        groups: tuple[KVGroup, ...],
        *,
        num_requests: int = 1,
        tokens: int = 256,
        dtype: torch.dtype = torch.float32,
        device: torch.device = torch.device("cpu"),  # noqa: B008
    ) -> None:
        num_pages = [num_requests * (blocks_of(tokens) + 1) for _ in groups]
        self.storage = PageStorage(groups, num_pages, dtype=dtype, device=device)
        self.tables = [PageTable(len(groups)) for _ in range(num_requests)]
        shuffler = random.Random(7)
        self._free = [shuffler.sample(range(count), count) for count in num_pages]
        for number, free in enumerate(self._free):
            for page in free:
                self._poison(number, page)

    def begin(self, lengths: list[int]) -> PagedKV:
        """Give every request pages for so many more tokens."""
        for table, length in zip(self.tables, lengths, strict=True):
            for number, pages in enumerate(table.pages):
                while len(pages) < blocks_of(table.length + length):
                    pages.append(self._free[number].pop())
        kv = PagedKV(self.storage, self.tables)
        kv.check()
        return kv

    def end(self, lengths: list[int]) -> None:
        """Count the tokens as stored; pages behind the window come back, and what they held is lost."""
        for table, length in zip(self.tables, lengths, strict=True):
            table.length += length
            for number, group in enumerate(self.storage.groups):
                pages = table.pages[number]
                for block in range(first_kept_block(group, table.length)):
                    if pages[block] != NO_PAGE:
                        self._poison(number, pages[block])
                        self._free[number].insert(0, pages[block])
                        pages[block] = NO_PAGE
            table.check(self.storage.groups)

    def stored_tokens(self) -> list[int]:
        """Tokens that lie in pages, for each group, over all requests."""
        return [
            sum(table.length - 32 * first_kept_block(group, table.length) for table in self.tables)
            for group in self.storage.groups
        ]

    def _poison(self, number: int, page: int) -> None:
        storage = self.storage
        if storage.dtype is torch.int8:
            storage.key_scales[number][page] = torch.nan
            storage.value_scales[number][page] = torch.nan
        else:
            storage.keys[number][page] = torch.nan
            storage.values[number][page] = torch.nan
