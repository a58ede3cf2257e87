"""Which pages hold the keys and values of one request. No torch.

Letters: W window.

    block b           positions 32·b … 32·b + 31
    full group        blocks 0 … n − 1, each a page
    sliding group     blocks 0 … n − 1, −1 for those that lie wholly below length − W − 1
"""

from array import array

from ..config import PAGE_TOKENS, KVGroup

NO_PAGE = -1


class PageTable:
    """Page ids by block number for each group of layers.

    Attributes:
        pages: for each group, int32 page ids by block number; NO_PAGE where the window has moved on.
        length: tokens whose keys and values are stored and count; what lies behind is overwritten.
    """

    __slots__ = ("length", "pages")

    def __init__(self, num_groups: int) -> None:
        self.pages: tuple[array[int], ...] = tuple(array("i") for _ in range(num_groups))
        self.length = 0

    @property
    def num_blocks(self) -> int:
        """Blocks with room for tokens, the same in each group."""
        return len(self.pages[0])

    def check(self, groups: tuple[KVGroup, ...]) -> None:
        """Every group covers what its layers may read, and no page stands twice."""
        assert len(self.pages) == len(groups)
        for group, pages in zip(groups, self.pages, strict=True):
            assert len(pages) == self.num_blocks, "groups differ in blocks"
            assert self.length <= len(pages) * PAGE_TOKENS, "more tokens than pages"
            first = first_kept_block(group, self.length)
            held = [page for page in pages if page != NO_PAGE]
            assert NO_PAGE not in pages[first:], f"a page of {group.kind.value} layers is missing"
            assert len(set(held)) == len(held), f"a page of {group.kind.value} layers stands twice"


def blocks_of(length: int) -> int:
    """Blocks that hold so many tokens."""
    return -(-length // PAGE_TOKENS)


def first_kept_block(group: KVGroup, length: int) -> int:
    """The first block that the layers need behind `length` tokens: they keep W + 1 positions."""
    if group.window is None:
        return 0
    return max(0, length - group.window - 1) // PAGE_TOKENS
