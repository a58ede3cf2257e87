"""By what a page is found again: all tokens up to its end, and what the soft tokens among them show.

    key(b) = blake2b(key(b − 1), ids of block b, and of its soft tokens: where they stand in the block, the
                     digests and sizes of their media, which soft token of each comes first, how many)

The digest is that of the whole medium, also where only a part of its soft tokens lies in the page:
inside an image, tokens see those that come after them.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from hashlib import blake2b

from ..config import PAGE_TOKENS

KEY_BYTES = 32


class PageKeys:
    """The keys of one request's pages, made as its ids grow.

    Args:
        soft_rows: positions that soft tokens fill, ascending.
        media: digest and number of soft tokens of each medium, in the order of `soft_rows`.
    """

    def __init__(self, soft_rows: Sequence[int], media: Sequence[tuple[bytes, int]]) -> None:
        assert sum(count for _, count in media) == len(soft_rows), "soft tokens without a digest"
        self._soft_rows = soft_rows
        self._media = media
        self._keys: list[bytes] = []

    def first(self, num_blocks: int, ids: Sequence[int]) -> list[bytes]:
        """Keys of the first blocks of these ids; ids may only ever grow."""
        assert num_blocks * PAGE_TOKENS <= len(ids), "a page that is not full has no key"
        for block in range(len(self._keys), num_blocks):
            start = block * PAGE_TOKENS
            previous = self._keys[-1] if self._keys else b""
            digest = blake2b(previous, digest_size=KEY_BYTES)
            digest.update(array("q", ids[start : start + PAGE_TOKENS]).tobytes())
            for part in self._soft_tokens(start):
                digest.update(part)
            self._keys.append(digest.digest())
        return self._keys[:num_blocks]

    def check(self, ids: Sequence[int]) -> None:
        """No key but of full pages of these ids, and none twice."""
        assert len(self._keys) <= len(ids) // PAGE_TOKENS, "a page that is not full has a key"
        assert len(set(self._keys)) == len(self._keys), "two pages have one key"

    def _soft_tokens(self, start: int) -> Iterator[bytes]:
        """What tells the soft tokens of the block at `start` from others; nothing if it has none."""
        low = bisect_left(self._soft_rows, start)
        high = bisect_left(self._soft_rows, start + PAGE_TOKENS)
        if low == high:
            return
        yield bytes(row - start for row in self._soft_rows[low:high])
        first = 0
        for content, count in self._media:
            begin, end = max(first, low), min(first + count, high)
            if begin < end:
                yield struct.pack("<4q", len(content), count, begin - first, end - begin) + content
            first += count
