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
    assert found.num_bytes < 1.2 * GIB
    assert found.num_pages[1] == 131_072 // 32


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
    assert (found.context, found.max_requests, found.notes) == (100_000, 4, ())
    assert found.num_bytes > 8 * GIB


def test_a_short_context_takes_no_more_pages_than_it_has_tokens() -> None:
    assert plan("e2b", context=512).num_pages == (16, 16)


def test_what_was_given_bounds_what_is_taken() -> None:
    found = plan("e2b", num_bytes=100 * 2**20, max_requests=2)
    assert (found.max_requests, found.context < 131_072) == (2, True)
    assert found.num_bytes <= 100 * 2**20
    with pytest.raises(ContextError, match=r"8192 tokens was asked for and 100 MiB .* hold \d+"):
        plan("e2b", num_bytes=100 * 2**20, context=8192)
    with pytest.raises(EnvironmentFault, match="0 MiB hold no page of keys and values; give more"):
        plan("e2b", num_bytes=1000)
