"""Sees an answer that repeats itself without end, so that it stops with a reason and not at the limit."""

import numpy as np

LONGEST_PERIOD = 128
LEAST_TOKENS = 1024
ROOM = 32 * LONGEST_PERIOD  # ids written before the last of them are moved to the end again


class LoopGuard:
    """Watches ids for a block of at most 128 tokens repeated over 1,024 tokens, 8 times or more.

    What people ask for repeats itself less: a hundred equal lines, a 20 × 20 matrix of zeros. A model
    caught in a loop passes the mark within a minute or two, also on a CPU. For each period the run of
    tokens that equal the one a period before is counted.

    Args:
        longest_period, least_tokens: the mark, for those who know more of what is written.
    """

    def __init__(
        self, longest_period: int = LONGEST_PERIOD, least_tokens: int = LEAST_TOKENS
    ) -> None:
        self._longest = longest_period
        self._least = least_tokens
        self._recent = np.full(ROOM, -1, dtype=np.int64)  # from `_last` on, the last id first
        self._runs = np.zeros(longest_period, dtype=np.int64)  # [p − 1] for period p
        periods = np.arange(1, longest_period + 1)
        self._limits = least_tokens - periods  # a run of r at period p is r + p tokens in repeats
        self.forget()

    def forget(self) -> None:
        """Begin anew: nothing before counts as repeated."""
        self._last = ROOM - self._longest
        self._recent[self._last :] = -1
        self._runs[:] = 0
        self._pushed = 0

    def push(self, token: int) -> int | None:
        """Take the next id; return the period of the loop it completes, or None."""
        self._runs += 1
        self._runs *= self._recent[self._last : self._last + self._longest] == token
        self._write(token)
        self._pushed += 1
        if self._pushed < self._least:
            return None
        caught = np.flatnonzero(self._runs >= self._limits)
        return int(caught[0]) + 1 if caught.size else None

    def check(self) -> None:
        """Runs are no longer than what was pushed, and the last ids are in their place."""
        assert 0 <= self._last <= ROOM - self._longest
        assert (self._runs >= 0).all()
        assert (self._runs < max(1, self._pushed)).all()

    def _write(self, token: int) -> None:
        if not self._last:
            self._last = ROOM - self._longest
            self._recent[self._last :] = self._recent[: self._longest]
        self._last -= 1
        self._recent[self._last] = token
