"""What drafting costs: seconds = a · steps + b · tokens, fitted to the latest drafts.

A drafter's step reads its weights once, whatever the number of requests, and then scores, and chooses
from all words, for each of them. Alone both numbers are the same and only a + b is known.
"""

from typing import Final

FORGET: Final = 0.9  # weight of what was measured one draft earlier
LEAN: Final = 0.5  # the share of a step's time that is the tokens' where nothing tells them apart
TRUST: Final = (
    0.02  # how much measurements must differ in shape before that is left, in their own units
)


class DraftCosts:
    """Least squares over two numbers that are never negative, older measurements counting less."""

    def __init__(self) -> None:
        self._steps_steps = self._steps_tokens = self._tokens_tokens = 0.0
        self._steps_seconds = self._tokens_seconds = 0.0
        self._each = (0.0, 0.0)  # seconds of a step and of a token

    def record(self, steps: int, tokens: int, seconds: float) -> None:
        """Take drafts of so many steps and tokens, each of which made at most one token a step."""
        assert 1 <= steps <= tokens, f"{tokens} tokens in {steps} steps"
        sums = (
            (self._steps_steps, steps * steps),
            (self._steps_tokens, steps * tokens),
            (self._tokens_tokens, tokens * tokens),
            (self._steps_seconds, steps * seconds),
            (self._tokens_seconds, tokens * seconds),
        )
        (
            self._steps_steps,
            self._steps_tokens,
            self._tokens_tokens,
            self._steps_seconds,
            self._tokens_seconds,
        ) = (FORGET * before + new for before, new in sums)
        self._each = self._fit()

    def of(self, steps: int, tokens: int) -> float:
        """Seconds that such drafts take; 0 before any was measured."""
        each_step, each_token = self._each
        return each_step * steps + each_token * tokens

    def check(self) -> None:
        """Both numbers are seconds."""
        assert min(self._each) >= 0.0

    def _fit(self) -> tuple[float, float]:
        across = self._steps_steps * self._tokens_tokens
        apart = (
            across - self._steps_tokens**2
        )  # 0 where tokens were always the same multiple of steps
        if apart < TRUST * across:
            each = self._steps_seconds / (
                (1 - LEAN) * self._steps_steps + LEAN * self._steps_tokens
            )
            return (1 - LEAN) * each, LEAN * each
        each_step = (
            self._tokens_tokens * self._steps_seconds - self._steps_tokens * self._tokens_seconds
        ) / apart
        each_token = (
            self._steps_steps * self._tokens_seconds - self._steps_tokens * self._steps_seconds
        ) / apart
        if each_step < 0.0:
            return 0.0, self._tokens_seconds / self._tokens_tokens
        if each_token < 0.0:
            return self._steps_seconds / self._steps_steps, 0.0
        return each_step, each_token
