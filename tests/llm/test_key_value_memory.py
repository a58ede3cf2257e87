"""How a context, its pages and the requests at once are chosen. No weights."""

import pytest

from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import ContextError, EnvironmentFault
from gemma4.llm.key_value_memory import (
    KeyValueMemory,
    KeyValueOptions,
    check_options,
    plan_memory,
)

GIB = 2**30


def plan(name: str, *, free_bytes: int = 8 * GIB, **options: object) -> KeyValueMemory:
    wanted = KeyValueOptions(**options)
    config = PUBLISHED_MODELS[name]
    check_options(wanted, config)
    return plan_memory(wanted, config, computing="bfloat16", free_bytes=free_bytes)


def test_a_small_model_gets_all_its_context_for_four_requests() -> None:
    found = plan("e2b")
    assert (found.context, found.max_requests, found.notes) == (131_072, 4, ())
    assert found.num_bytes < 4 * GIB
    assert found.num_pages[1] == 4 * 131_072 // 32
    assert found.tokens == 4 * 131_072


def test_requests_that_do_not_fit_together_are_told_apart_from_one_that_does() -> None:
    """The pages hold two and a half requests; each may still be as long as the model was made for."""
    found = plan("e2b", num_bytes=int(2.5 * GIB), max_requests=8)
    assert (found.context, found.max_requests) == (131_072, 8)
    assert 2 * found.context < found.tokens < 3 * found.context
    assert found.num_pages[1] == found.tokens // 32
    assert found.num_bytes <= 2.5 * GIB
    [note] = found.notes
    assert f"room for {found.tokens:,} tokens in {found.num_bytes / 2**20:,.0f} MiB: " in note
    assert (
        "8 requests of the whole context of 131,072 would wait for each other; kv_memory gives more"
        in note
    )
    alone = plan("e2b", num_bytes=int(2.5 * GIB), max_requests=1)
    assert (alone.context, alone.tokens, alone.notes) == (131_072, 131_072, ())


def test_a_context_by_hand_has_pages_for_one_request_at_least() -> None:
    """Half of the free memory bounds what is there for others."""
    scarce = plan("e2b", context=100_000, free_bytes=GIB)
    assert (scarce.context, scarce.tokens) == (100_000, 100_000)
    assert "room for 100,000 tokens" in scarce.notes[0]
    ample = plan("e2b", context=100_001, free_bytes=16 * GIB)
    assert ample.tokens == 4 * 100_032  # whole pages for each
    assert ample.notes == ()


def test_where_memory_is_short_one_request_gets_what_half_of_it_holds() -> None:
    found = plan("31b", free_bytes=10 * GIB)
    assert found.max_requests == 1
    assert 10_000 < found.context < 262_144
    assert found.num_bytes <= 5 * GIB
    assert "5.0 GiB" in found.notes[0]
    narrow = plan("31b", free_bytes=10 * GIB, dtype="int8")
    assert narrow.context > 1.8 * found.context


def test_a_context_that_is_asked_for_gets_its_pages() -> None:
    found = plan("31b", context=100_000, free_bytes=GIB)
    assert (found.context, found.max_requests, found.tokens) == (100_000, 4, 100_000)
    assert found.num_bytes > 8 * GIB


def test_a_short_context_takes_no_more_pages_than_it_has_tokens() -> None:
    assert plan("e2b", context=512).num_pages == (64, 64)
    assert plan("e2b", context=512, max_requests=1).num_pages == (16, 16)


def test_what_was_given_bounds_what_is_taken() -> None:
    found = plan("e2b", num_bytes=100 * 2**20, max_requests=2)
    assert (found.max_requests, found.context < 131_072) == (2, True)
    assert found.num_bytes <= 100 * 2**20
    with pytest.raises(ContextError, match=r"8192 tokens was asked for and 100 MiB .* hold \d+"):
        plan("e2b", num_bytes=100 * 2**20, context=8192)
    with pytest.raises(EnvironmentFault, match="0 MiB hold no page of keys and values; give more"):
        plan("e2b", num_bytes=1000)
