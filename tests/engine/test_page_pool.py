"""Pages, keys and prefixes against plain models of them. No tensors."""

import pytest
from fake_forward import fake_groups
from hypothesis import given
from hypothesis import strategies as st

from gemma4.config import PAGE_TOKENS
from gemma4.engine.page_cache import PageCache
from gemma4.engine.page_keys import PageKeys
from gemma4.engine.page_pool import PagePool
from gemma4.engine.spans import ImageSpans
from gemma4.model.page_table import NO_PAGE, PageTable

KEYS = [bytes([n]) for n in range(6)]


@given(st.lists(st.tuples(st.sampled_from("arplf"), st.integers(0, 20), st.sampled_from(KEYS))))
def test_any_order_of_operations_keeps_a_pool_sound(operations) -> None:
    """Against a list of holds: allocate, release, publish, look up and retain, prefer."""
    pool, holds = PagePool(5), []
    for name, number, key in operations:
        if name == "a" and pool.num_available:
            page = pool.allocate()
            assert page not in holds
            holds.append(page)
        elif name == "r" and holds:
            pool.release(holds.pop(number % len(holds)))
        elif name == "p" and holds:
            pool.publish(holds[number % len(holds)], key)
        elif name == "l" and (page := pool.lookup(key)) is not None:
            pool.retain(page)
            holds.append(page)
        elif name == "f" and (page := pool.lookup(key)) is not None:
            pool.prefer(page)
        pool.check()
        assert pool.num_held == len(set(holds))
        assert pool.num_available == 5 - len(set(holds))
        assert all(pool.references(page) == holds.count(page) for page in range(5))


def test_the_longest_unused_page_goes_first_and_free_ones_before() -> None:
    pool = PagePool(3)
    pages = [pool.allocate() for _ in range(3)]
    for page, key in zip(pages, KEYS, strict=False):
        pool.publish(page, key)
    pool.release(pages[1])
    pool.release(pages[0])
    pool.release(pages[2])
    pool.retain(pages[1])  # used again, so now the latest
    pool.release(pages[1])
    assert (pool.num_cached, pool.evictions) == (3, 0)
    assert [pool.allocate() for _ in range(3)] == [pages[0], pages[2], pages[1]]
    assert pool.evictions == 3
    assert [pool.lookup(key) for key in KEYS[:3]] == [None] * 3
    with pytest.raises(AssertionError, match="no page is available"):
        pool.allocate()


def test_preferred_pages_go_last_and_only_half_are() -> None:
    pool = PagePool(6)
    pages = [pool.allocate() for _ in range(6)]
    for page, key in zip(pages, KEYS, strict=True):
        pool.publish(page, key)
    pool.prefer(pages[0])  # while it is held
    for page in pages[:4]:
        pool.release(page)
    pool.prefer(pages[1])  # and when it is only remembered
    pool.prefer(pages[0])  # now the latest of the preferred
    for page in pages[4:]:
        pool.prefer(page)
        pool.release(page)
        pool.check()
    # Four are preferred and three may be: the longest unused of them is like any other, and the latest.
    order = [pages[2], pages[3], pages[1], pages[0], pages[4], pages[5]]
    assert [pool.allocate() for _ in range(6)] == order
    pool.check()
    for page in pages:
        pool.release(page)
    assert pool.num_cached == 0  # what was preferred is forgotten with its key


def test_memory_that_was_never_touched_stays_so() -> None:
    pool = PagePool(100)
    for _ in range(5):
        pages = [pool.allocate() for _ in range(3)]
        assert sorted(pages) == [0, 1, 2]
        for page in pages:
            pool.release(page)


def test_a_second_page_of_the_same_content_stays_private() -> None:
    pool = PagePool(2)
    first, second = pool.allocate(), pool.allocate()
    pool.publish(first, KEYS[0])
    pool.publish(second, KEYS[0])
    assert pool.lookup(KEYS[0]) == first
    pool.release(second)
    assert (pool.num_cached, pool.num_available) == (0, 1)
    pool.check()


def test_keys_depend_on_all_that_a_page_hangs_on() -> None:
    ids = list(range(96))
    image = list(range(20, 60))  # over two pages, and the third hangs on it

    def keys(ids: list[int], *media: tuple[bytes, int], rows: list[int] = image) -> list[bytes]:
        return PageKeys(rows if media else [], media).first(3, ids)

    plain, seen = keys(ids), keys(ids, (b"cat", 40))
    assert keys(list(ids)) == plain
    assert len({*plain, *seen}) == 6
    assert keys([*ids[:40], 7, *ids[41:]])[0] == plain[0]
    assert keys([*ids[:40], 7, *ids[41:]])[1:] != plain[1:]
    assert not set(keys(ids, (b"dog", 40))) & set(seen)  # the first page too: part of the picture
    assert not set(keys(ids, (b"cat", 30), (b"cat", 10))) & set(seen)
    assert keys(ids, (b"cat", 40), rows=[*range(19, 59)])[0] != seen[0]
    # A sound in the second page leaves the first as it was.
    late = PageKeys([*range(40, 50)], [(b"bark", 10)]).first(3, ids)
    assert (late[0], late[1] == plain[1]) == (plain[0], False)


def test_keys_grow_with_the_ids() -> None:
    growing, ids = PageKeys([], []), list(range(32))
    assert len(growing.first(1, ids)) == 1
    ids += range(40)
    assert growing.first(2, ids) == PageKeys([], []).first(2, ids)
    with pytest.raises(AssertionError, match="not full"):
        growing.first(3, ids)


def fill(cache: PageCache, keys: list[bytes], length: int, step: int = 50) -> PageTable:
    """A table computed up to `length`, in steps."""
    table = PageTable(2)
    while table.length < length:
        end = min(table.length + step, length)
        assert cache.reserve(table, end)
        cache.advance(table, end, keys)
        cache.check([table])
    return table


def keys_of(count: int) -> list[bytes]:
    return [n.to_bytes(2, "big") for n in range(count)]


def reused(cache: PageCache, keys: list[bytes], is_cut=lambda _: False) -> PageTable:
    table = PageTable(2)
    cache.open(table, keys, is_cut)
    return table


def test_a_prefix_needs_all_full_pages_and_the_last_window() -> None:
    """Window 40: 41 positions before the prefix's end, which lie in two pages, or in three."""
    cache, keys = PageCache(fake_groups(), (20, 20)), keys_of(10)
    first = fill(cache, keys, 10 * PAGE_TOKENS)
    assert list(first.pages[0][:8]) == [NO_PAGE] * 8
    second = reused(cache, keys[:9])
    assert second.length == 9 * PAGE_TOKENS
    assert [page == NO_PAGE for page in second.pages[0]] == [True] * 7 + [False] * 2
    assert second.pages[1] == first.pages[1][:9]
    cache.check([first, second])
    assert reused(cache, keys, lambda tokens: tokens > 160).length == 160


def test_forgotten_windows_shorten_the_prefix() -> None:
    """Six sliding pages: those of an early window are taken again, the last one's are there."""
    cache, keys = PageCache(fake_groups(), (6, 20)), keys_of(10)
    cache.close(fill(cache, keys, 10 * PAGE_TOKENS))
    cache.check([])
    assert reused(cache, keys).length == 10 * PAGE_TOKENS
    fresh = PageCache(fake_groups(), (6, 20))
    fresh.close(fill(fresh, keys, 10 * PAGE_TOKENS))
    assert (
        reused(fresh, keys[:4]).length == 0
    )  # its window is gone, though the full pages are there
    assert fresh.pools[1].lookup(keys[3]) is not None


@pytest.mark.parametrize("thought", [40, 400, 2000])
def test_the_window_of_a_prompt_outlives_a_thought_of_any_length(thought: int) -> None:
    """A next turn leaves the thought out: it goes on at the prompt's end, which the window left long ago.

    Eight sliding pages: two for the window, two for what is new, four for what is remembered.
    """
    cache, keys = PageCache(fake_groups(), (8, 200)), keys_of(200)
    prompt = 10 * PAGE_TOKENS + 7
    table = fill(cache, keys, prompt)
    cache.keep(keys[:10])
    while table.length < prompt + thought:
        assert cache.reserve(table, table.length + 1)
        cache.advance(table, table.length + 1, keys)
    cache.keep(keys[: table.length // PAGE_TOKENS])
    end = table.length // PAGE_TOKENS
    cache.close(table)
    cache.check([])
    other = [b"other", *keys]
    for known, length in (
        (keys[:10] + other, 10),  # the thought is left out
        (keys[:9] + other, 9),  # and the last words of the prompt are written anew
        (keys[:end] + other, end),  # nothing is left out
    ):
        table = reused(cache, known)
        assert table.length == length * PAGE_TOKENS
        cache.close(table)
        cache.check([])


def test_a_prefix_that_was_found_again_outlives_those_that_were_not() -> None:
    """Long prompts would push it out of sixteen sliding pages."""
    cache, common = PageCache(fake_groups(), (16, 400)), keys_of(4)

    def turn(seed: int, count: int) -> int:
        """Tokens found of a prompt of so many pages that begins as all do."""
        keys = [*common, *(bytes([2, seed, n]) for n in range(count - 4))]
        table = reused(cache, keys)
        found = table.length
        while table.length < count * PAGE_TOKENS:
            end = table.length + PAGE_TOKENS
            assert cache.reserve(table, end)
            cache.advance(table, end, keys)
        cache.close(table)
        cache.check([])
        return found

    found = [turn(seed, count) for seed, count in enumerate((6, 6, 24, 24, 24, 24))]
    assert found == [0, *[4 * PAGE_TOKENS] * 5]


def test_no_room_changes_nothing() -> None:
    cache = PageCache(fake_groups(), (2, 20))
    table = PageTable(2)
    assert not cache.reserve(table, 100)
    assert table.num_blocks == 0
    assert cache.reserve(table, 64)
    cache.check([table])


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=6),
    st.integers(1, 20),
    st.integers(0, 5),
)
def test_chunks_cut_no_picture_and_come_to_the_end(parts, size: int, offset: int) -> None:
    numbers = []
    for index, (text, picture) in enumerate(parts):
        numbers += [-1] * (text + 1) + [index] * picture
    spans = ImageSpans(numbers)
    total = len(numbers) + offset  # an answer behind the prompt
    start = 0
    while start < total:
        end = spans.chunk_end(start, min(start + size, total))
        assert start < end <= total
        assert not spans.is_cut(end)
        assert end - start <= max(size, spans.longest)
        start = end
    assert spans.longest == max([picture for _, picture in parts], default=0)
