"""The pages of one group of layers: which are free, which are read, which are only remembered.

free        nothing of worth is in them
held        a request reads or writes them; several may share one
cached      no request holds them, but their key is known; the longest unused goes when room is needed,
            and those that are preferred go last

allocate: free or cached → held     publish: held gets a key     release: held → cached or free
"""

from collections import OrderedDict


class PagePool:
    """Counts references to pages 0 … num_pages − 1 and finds them by key.

    At most half of the pages are cached as preferred: what is preferred beyond that is cached like the
    others, the longest unused first, so that what was preferred once does not stay for ever.
    """

    def __init__(self, num_pages: int) -> None:
        self.num_pages = num_pages
        self.evictions = 0
        # The page freed last is taken first: memory that was never touched stays so.
        self._free = list(range(num_pages - 1, -1, -1))
        self._references = [0] * num_pages
        self._page_of: dict[bytes, int] = {}
        self._key_of: dict[int, bytes] = {}
        self._cached: OrderedDict[int, None] = OrderedDict()  # the longest unused first
        self._preferred: set[int] = set()
        self._cached_preferred: OrderedDict[int, None] = OrderedDict()  # likewise
        self._most_preferred = num_pages // 2

    @property
    def num_available(self) -> int:
        """Pages that can be allocated."""
        return len(self._free) + self.num_cached

    @property
    def num_cached(self) -> int:
        """Pages that no request holds and that may be found again."""
        return len(self._cached) + len(self._cached_preferred)

    @property
    def num_held(self) -> int:
        """Pages that requests hold."""
        return self.num_pages - self.num_available

    def allocate(self) -> int:
        """Take a page for one request; the longest unused cached one is forgotten if none is free."""
        assert self.num_available, "no page is available"
        if self._free:
            page = self._free.pop()
        else:
            page, _ = (self._cached or self._cached_preferred).popitem(last=False)
            self._preferred.discard(page)
            del self._page_of[self._key_of.pop(page)]
            self.evictions += 1
        self._references[page] = 1
        return page

    def retain(self, page: int) -> None:
        """Hold a page that has a key, once more."""
        assert page in self._key_of, f"page {page} has no key"
        self._cached.pop(page, None)
        self._cached_preferred.pop(page, None)
        self._references[page] += 1

    def release(self, page: int) -> None:
        """Give back one hold; a page with a key can still be found."""
        assert self._references[page], f"page {page} is not held"
        self._references[page] -= 1
        if self._references[page]:
            return
        if page in self._key_of:
            self._remember(page)
        else:
            self._free.append(page)

    def publish(self, page: int, key: bytes) -> None:
        """Let a full page be found by its key. A second page with the same key stays private."""
        assert self._references[page], f"page {page} is not held"
        if key not in self._page_of and page not in self._key_of:
            self._page_of[key] = page
            self._key_of[page] = key

    def prefer(self, page: int) -> None:
        """Let others go before this page, which has a key, once it is only remembered."""
        assert page in self._key_of, f"page {page} has no key"
        self._preferred.add(page)
        if not self._references[page]:
            self._cached.pop(page, None)
            self._cached_preferred.pop(page, None)
            self._remember(page)

    def lookup(self, key: bytes) -> int | None:
        """The page with this key, held or cached."""
        return self._page_of.get(key)

    def count_known(self, keys: list[bytes]) -> int:
        """How many of these keys, from the first on, have a page."""
        return next((i for i, key in enumerate(keys) if key not in self._page_of), len(keys))

    def references(self, page: int) -> int:
        """How often a page is held."""
        return self._references[page]

    def check(self) -> None:
        """Every page is free, cached or held, and keys and pages name each other."""
        held = {page for page, count in enumerate(self._references) if count}
        free, cached = set(self._free), {*self._cached, *self._cached_preferred}
        assert min(self._references, default=0) >= 0
        assert len(free) == len(self._free), "a page is free twice"
        assert len(cached) == self.num_cached, "a page is cached twice"
        assert len(free) + len(cached) + len(held) == self.num_pages, (
            "a page is lost or in two places"
        )
        assert free | cached | held == set(range(self.num_pages))
        assert cached <= set(self._key_of), "a cached page has no key"
        assert not free & set(self._key_of), "a free page has a key"
        assert {page: key for key, page in self._page_of.items()} == self._key_of
        assert self._preferred <= set(self._key_of), "a page without a key is preferred"
        assert set(self._cached_preferred) == cached & self._preferred
        assert len(self._cached_preferred) <= self._most_preferred, "too many are preferred"

    def _remember(self, page: int) -> None:
        """Cache a page as the latest used one."""
        if page not in self._preferred:
            self._cached[page] = None
            return
        self._cached_preferred[page] = None
        if len(self._cached_preferred) > self._most_preferred:
            oldest, _ = self._cached_preferred.popitem(last=False)
            self._preferred.discard(oldest)
            self._cached[oldest] = None
