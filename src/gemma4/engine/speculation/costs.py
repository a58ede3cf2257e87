"""What passes and drafts cost on this machine, measured as they happen.

    seconds of a pass = speed of the moment × what so many rows cost beside others

The first factor follows quickly: a context grows, another program wants the processor. The second is
learned slowly. So two numbers of rows can be compared although they were measured at different times.
More rows never cost less: measurements that say so are averaged.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping

from .draft_costs import DraftCosts

FOLLOW = 0.2  # weight of the newest pass in the speed of the moment
LEARN = 0.05  # and in what its rows cost; more among the first twenty
LEAST_PLAIN = 2  # measurements of a pass without drafts before any comparison
OUTLIER = math.log(3.0)  # a pass further off than three times was disturbed
MOST_WEIGHT = 20  # measurements that count where two numbers of rows contradict each other
OFTEST, SELDOMEST = 4, 64  # passes with drafts for each plain one: at first, and in the long run


class Costs:
    """Seconds of a pass by its rows, and of drafts by their longest and by their tokens in all."""

    def __init__(self) -> None:
        self._level = 0.0  # logarithms of seconds
        self._offsets: dict[int, float] = {}
        self._counts: dict[int, int] = {}
        self._seconds: tuple[list[int], list[float]] = (
            [],
            [],
        )  # rows ascending, and of a pass over them
        self._since_plain = 0
        self._drafts = DraftCosts()

    def record_pass(self, rows: int, seconds: float, *, plain: bool) -> None:
        """Take a pass over so many rows that read no prompt; `plain` had no drafts."""
        measured = math.log(max(seconds, 1e-9))
        self._since_plain = 0 if plain else self._since_plain + 1
        if not self._offsets:
            self._level = measured
        count = self._counts[rows] = self._counts.get(rows, 0) + 1
        if count == 1:
            self._offsets[rows] = measured - self._level
        else:
            error = measured - self._level - self._offsets[rows]
            error = min(max(error, -OUTLIER), OUTLIER)
            self._offsets[rows] += max(LEARN, 1 / count) * error
            self._level += FOLLOW * error
        known, offsets = _never_falling(self._offsets, self._counts)
        self._seconds = known, [math.exp(self._level + offset) for offset in offsets]

    def record_draft(self, steps: int, tokens: int, seconds: float) -> None:
        """Drafts of all requests side by side, the longest of so many steps, of so many tokens in all."""
        self._drafts.record(steps, tokens, seconds)

    def has_plain(self, rows: int) -> bool:
        """Whether plain passes of so many rows were measured often enough to compare others with."""
        return self._counts.get(rows, 0) >= LEAST_PLAIN

    def is_current(self, rows: int) -> bool:
        """Whether they were, and not too many passes with drafts ago."""
        latest = min(OFTEST * self._counts.get(rows, 0), SELDOMEST)
        return self.has_plain(rows) and self._since_plain < latest

    def of_pass(self, rows: int) -> float:
        """Seconds of a pass; rows that were never measured lie on the line through their neighbours.

        Behind the last measured number of rows the line goes on, and is level if there is but one: a
        first attempt shows what is true.
        """
        known, seconds = self._seconds
        behind = bisect_left(known, rows)
        if behind == len(known):
            slope = (seconds[-1] - seconds[-2]) / (known[-1] - known[-2]) if behind > 1 else 0.0
            return seconds[-1] + slope * (rows - known[-1])
        if not behind or known[behind] == rows:
            return seconds[behind]
        low, high = known[behind - 1], known[behind]
        share = (rows - low) / (high - low)
        return seconds[behind - 1] + share * (seconds[behind] - seconds[behind - 1])

    def of_draft(self, steps: int, tokens: int) -> float:
        """Seconds of drafts, 0 while unknown."""
        return self._drafts.of(steps, tokens)

    def check(self) -> None:
        """Every number of rows that was measured costs something, and more rows never less."""
        known, seconds = self._seconds
        assert known == sorted(self._offsets) == sorted(self._counts)
        assert all(value > 0.0 for value in seconds)
        assert seconds == sorted(seconds), "more rows cost less"
        self._drafts.check()


def _never_falling(
    offsets: Mapping[int, float], counts: Mapping[int, int]
) -> tuple[list[int], list[float]]:
    """The nearest values that never fall with the rows, by pooling neighbours that do."""
    pools: list[tuple[float, int, int]] = []  # mean, weight, how many
    known = sorted(offsets)
    for rows in known:
        mean, weight, size = offsets[rows], min(counts[rows], MOST_WEIGHT), 1
        while pools and pools[-1][0] > mean:
            before, its_weight, its_size = pools.pop()
            mean = (before * its_weight + mean * weight) / (its_weight + weight)
            weight, size = weight + its_weight, size + its_size
        pools.append((mean, weight, size))
    return known, [mean for mean, _, size in pools for _ in range(size)]
