"""The loop guard: catches what never ends, leaves alone what does."""

import random

import pytest

from gemma4.engine.loop_guard import LEAST_TOKENS, LoopGuard
from gemma4.text.tokens.packaged import packaged_tokenizer
from gemma4.text.tokens.tokenizer import Tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return packaged_tokenizer()


def first_alarm(ids: list[int]) -> tuple[int, int] | None:
    guard = LoopGuard()
    for index, token in enumerate(ids):
        period = guard.push(token)
        if period is not None:
            return index + 1, period
    return None


def test_one_word_for_ever_is_caught_at_the_mark() -> None:
    assert first_alarm([5, 6] + [7] * 2000) == (2 + LEAST_TOKENS, 1)


@pytest.mark.parametrize("period", [2, 10, 50, 128])
def test_a_repeated_block_is_caught_with_its_period(period: int) -> None:
    caught = first_alarm([1000, *list(range(period)) * 600])
    assert caught == (1 + LEAST_TOKENS, period)


def test_a_block_longer_than_any_period_watched_is_left_alone() -> None:
    assert first_alarm(list(range(200)) * 20) is None


def test_random_tokens_and_a_long_row_of_equal_ones_that_ends_are_left_alone() -> None:
    generator = random.Random(0)
    noise = [generator.randrange(50) for _ in range(20_000)]
    assert first_alarm(noise) is None
    assert first_alarm([1, *[0] * (LEAST_TOKENS - 1), 2, *[0] * (LEAST_TOKENS - 1)]) is None


@pytest.mark.parametrize(
    "text",
    [
        "I will not talk in class.\n" * 100,
        "\n".join([" ".join(["0"] * 20)] * 20),
        "| 0 | 0 | 0 | 0 |\n" * 50,
        "1,0,0,0,0\n" * 100,
        "0x00, " * 128,
        "A" * 5500,  # 4 KB of zeros in base64
        "<item/>\n" * 200,
    ],
)
def test_what_people_ask_to_be_repeated_is_left_alone(tokenizer: Tokenizer, text: str) -> None:
    ids = tokenizer.encode(text)
    assert len(ids) > 300
    assert first_alarm(ids) is None
