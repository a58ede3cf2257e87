"""Keys and values: windows, sharing and K = V counted exactly."""

import pytest

from gemma4.config.published import PUBLISHED_DRAFTERS, PUBLISHED_MODELS
from gemma4.errors import ConfigError
from gemma4.fit.kv import kv_cache_bytes, kv_page_bytes

GIB = 2**30


@pytest.mark.parametrize(
    ("name", "expected", "digits"),
    [("e2b", 0.76, 2), ("e4b", 2.02, 2), ("26b-a4b", 2.70, 2), ("31b", 10.8, 1)],
)
def test_128k_in_bfloat16_takes_the_published_figures(
    name: str, expected: float, digits: int
) -> None:
    size = kv_cache_bytes(PUBLISHED_MODELS[name].text, context=131_072, dtype="bfloat16")
    assert round(size / GIB, digits) == expected


def test_the_sum_over_layers_by_hand() -> None:
    # E2B: 12 sliding owners of one head of 256 and 512 keys, 3 full ones of one head of 512.
    text = PUBLISHED_MODELS["e2b"].text
    assert kv_cache_bytes(text, context=10_000, dtype="float32") == (
        12 * 512 * 2 * 256 * 4 + 3 * 10_000 * 2 * 512 * 4
    )


def test_a_context_below_the_window_counts_its_own_tokens() -> None:
    text = PUBLISHED_MODELS["e2b"].text
    assert kv_cache_bytes(text, context=10, dtype="bfloat16") == (12 * 256 + 3 * 512) * 2 * 10 * 2


def test_users_multiply() -> None:
    text = PUBLISHED_MODELS["31b"].text
    one = kv_cache_bytes(text, context=4096)
    assert kv_cache_bytes(text, context=4096, users=7) == 7 * one


def test_layers_whose_values_are_keys_store_both() -> None:
    text = PUBLISHED_MODELS["31b"].text
    grown = kv_cache_bytes(text, context=100_001) - kv_cache_bytes(text, context=100_000)
    assert grown == 10 * 2 * 4 * 512 * 2  # ten full layers, two tensors, four heads


def test_a_drafter_stores_nothing() -> None:
    assert kv_cache_bytes(PUBLISHED_DRAFTERS["e2b"].text, context=131_072) == 0


def test_eight_bits_take_a_little_more_than_half() -> None:
    text = PUBLISHED_MODELS["31b"].text
    full = kv_cache_bytes(text, context=1024, dtype="bfloat16")
    assert kv_cache_bytes(text, context=1024, dtype="int8") == full // 2 + 1024 * 2 * 4 * (
        50 * 16 + 10 * 4  # a scale for each layer and head, of keys and of values
    )


def test_pages_hold_the_context_and_the_windows_that_are_remembered() -> None:
    text = PUBLISHED_MODELS["e2b"].text
    sliding, full = 12 * 2 * 256 * 2 * 32, 3 * 2 * 512 * 2 * 32  # bytes of a page
    assert kv_page_bytes(text, context=100) == 4 * (sliding + full)  # no more than the context
    # Windows of 513 tokens, wherever they begin: the request's, and those that 256 MiB hold; a chunk.
    remembered = 2**28 // (17 * sliding)
    assert remembered == 40
    assert kv_page_bytes(text, context=32_000) == (41 * 17 + 17) * sliding + 1000 * full
    # 31B: one window of 1025 tokens is 825 MiB; a request needs as much again, a chunk and an image.
    sliding, full = 50 * 2 * 16 * 256 * 2 * 32, 10 * 2 * 4 * 512 * 2 * 32
    text = PUBLISHED_MODELS["31b"].text
    assert kv_page_bytes(text, context=32_000) == 84 * sliding + 1000 * full


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigError, match="KV precision 'int3' is unknown; known: float32"):
        kv_cache_bytes(PUBLISHED_MODELS["e2b"].text, context=1, dtype="int3")
