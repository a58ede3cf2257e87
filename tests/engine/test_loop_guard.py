"""The loop guard: catches what never ends, leaves alone what does."""

import random

import pytest

from gemma4.engine.loop_guard import LEAST_TOKENS, LoopGuard


def first_alarm(ids: list[int]) -> tuple[int, int] | None:
    guard = LoopGuard()
    for index, token in enumerate(ids):
        period = guard.push(token)
        if period is not None:
            return index + 1, period
    return None


def test_one_word_for_ever_is_caught_at_the_mark() -> None:
    assert first_alarm([5, 6] + [7] * 1000) == (2 + LEAST_TOKENS, 1)


@pytest.mark.parametrize("period", [2, 10, 50, 128])
def test_a_repeated_block_is_caught_with_its_period(period: int) -> None:
    caught = first_alarm([1000, *list(range(period)) * 100])
    assert caught is not None
    assert caught == (1 + max(LEAST_TOKENS, 8 * period), period)


def test_a_block_longer_than_any_period_watched_is_left_alone() -> None:
    assert first_alarm(list(range(200)) * 20) is None


def test_random_tokens_and_a_long_row_of_equal_ones_that_ends_are_left_alone() -> None:
    generator = random.Random(0)
    noise = [generator.randrange(50) for _ in range(20_000)]
    assert first_alarm(noise) is None
    assert first_alarm([1, *[0] * (LEAST_TOKENS - 1), 2, *[0] * (LEAST_TOKENS - 1)]) is None


def test_seven_equal_table_rows_are_left_alone() -> None:
    assert first_alarm(list(range(60)) * 7 + [99]) is None
