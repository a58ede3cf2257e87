"""The pages of all requests over every group of layers, and the prefixes that can be used again.

Letters: W window.

    a prefix of n pages can be used again if
        the full group has pages                 0 ……………………………………………… n − 1
        the sliding group has those that cover             32·n − W − 1 …… 32·n − 1
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from ..config import PAGE_TOKENS, KVGroup
from ..model.page_table import NO_PAGE, PageTable, blocks_of, first_kept_block
from .page_pool import PagePool

KEPT_BEFORE: Final = 2
"""Pages in front of the last one from which a prefix may go on with its window remembered."""


class PageCache:
    """Gives pages to tables and takes them back.

    Args:
        groups: of layers, each with its pool.
        num_pages: of each pool.
    """

    def __init__(self, groups: tuple[KVGroup, ...], num_pages: Sequence[int]) -> None:
        self.groups = groups
        self.pools = tuple(PagePool(count) for count in num_pages)

    def open(self, table: PageTable, keys: list[bytes], is_cut: Callable[[int], bool]) -> None:
        """Fill an empty table with the longest prefix there is.

        Args:
            keys: of the request's pages that may be used again, from the first on.
            is_cut: True if a prefix of so many tokens would cut an image.
        """
        assert not table.num_blocks
        count = self._reusable(keys, is_cut)
        table.length = count * PAGE_TOKENS
        for group, pool, pages in zip(self.groups, self.pools, table.pages, strict=True):
            first = first_kept_block(group, table.length)
            pages.extend([NO_PAGE] * first)
            for key in keys[first:count]:
                page = pool.lookup(key)
                assert page is not None
                pool.retain(page)
                pages.append(page)
                if group.window is not None:
                    pool.prefer(page)  # where one came back to, others will

    def keep(self, keys: list[bytes]) -> None:
        """Prefer the window at the end of a prompt or an answer: a next turn goes on from about there.

        Not from the very end: the page there may not be full, and a template may write the last words
        of a prompt anew. And the window is kept though the request has moved on: a template may leave
        out the thought that the answer began with.

        Args:
            keys: of all pages that are full.
        """
        earliest = max(0, len(keys) - KEPT_BEFORE) * PAGE_TOKENS
        for group, pool in zip(self.groups, self.pools, strict=True):
            if group.window is not None:
                for key in keys[first_kept_block(group, earliest) :]:
                    page = pool.lookup(key)
                    if page is not None:
                        pool.prefer(page)

    def _reusable(self, keys: list[bytes], is_cut: Callable[[int], bool]) -> int:
        """Pages of the longest prefix that every group can give."""
        count = min(
            (
                pool.count_known(keys)
                for group, pool in zip(self.groups, self.pools, strict=True)
                if group.window is None
            ),
            default=len(keys),
        )
        while count:
            missing = max(self._last_missing(keys, count))
            if missing < 0 and not is_cut(count * PAGE_TOKENS):
                return count
            # Prefixes between want the missing page too.
            count = count - 1 if missing < 0 else missing
        return 0

    def _last_missing(self, keys: list[bytes], count: int) -> Iterator[int]:
        """For each group the last page of the window behind so many pages that it lacks, or −1."""
        for group, pool in zip(self.groups, self.pools, strict=True):
            first = (
                first_kept_block(group, count * PAGE_TOKENS) if group.window is not None else count
            )
            lacked = (
                block
                for block in range(count - 1, first - 1, -1)
                if pool.lookup(keys[block]) is None
            )
            yield next(lacked, -1)

    def reserve(self, table: PageTable, end: int) -> bool:
        """Give a table room for tokens up to `end`, in every group or in none."""
        wanted = blocks_of(end) - table.num_blocks
        if wanted <= 0:
            return True
        if any(pool.num_available < wanted for pool in self.pools):
            return False
        for pool, pages in zip(self.pools, table.pages, strict=True):
            pages.extend([pool.allocate() for _ in range(wanted)])
        return True

    def advance(self, table: PageTable, length: int, keys: Sequence[bytes]) -> None:
        """Count tokens up to `length` as stored: pages now full can be found, the window moves on.

        Args:
            keys: of all pages that are full, from the first on; none are needed where no page became full.
        """
        before, table.length = table.length, length
        assert before <= length <= table.num_blocks * PAGE_TOKENS
        if before == length:
            return
        for group, pool, pages in zip(self.groups, self.pools, table.pages, strict=True):
            for block in range(before // PAGE_TOKENS, length // PAGE_TOKENS):
                pool.publish(pages[block], keys[block])
            for block in range(first_kept_block(group, before), first_kept_block(group, length)):
                pool.release(pages[block])
                pages[block] = NO_PAGE

    def close(self, table: PageTable) -> None:
        """Take all pages back; the last become the longest unused, for a prefix needs the first."""
        for pool, pages in zip(self.pools, table.pages, strict=True):
            for page in reversed(pages):
                if page != NO_PAGE:
                    pool.release(page)
            del pages[:]
        table.length = 0

    def check(self, tables: Iterable[PageTable]) -> None:
        """Every pool is sound, and pages are held exactly as often as these tables name them."""
        tables = list(tables)
        for table in tables:
            table.check(self.groups)
        for number, pool in enumerate(self.pools):
            pool.check()
            counts = [0] * pool.num_pages
            for table in tables:
                for page in table.pages[number]:
                    if page != NO_PAGE:
                        counts[page] += 1
            found = [pool.references(page) for page in range(pool.num_pages)]
            assert found == counts, "a page is held by nobody, or more often than counted"
