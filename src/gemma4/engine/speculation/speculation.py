"""The drafts of one request: what was right, and when to try again."""

from collections.abc import Sequence

from torch import Tensor

from .acceptance import count_accepted
from .chances import Chances
from .history import History

FIRST_PAUSE = 128  # passes without drafts before they are tried again; doubles each time in vain
LONGEST_PAUSE = 1024
TRIES = 6
TRY_LENGTH = 2


class Speculation:
    """Counts and estimates of one request, from its first token to its end.

    Attributes:
        hidden: [D], the target's hidden state from which the last id was chosen.
        company: requests that the last plan was made for.
    """

    def __init__(self, hidden: Tensor, *, longest: int) -> None:
        self.hidden = hidden
        self.history = History()
        self.chances = Chances(longest)
        self.company = 1
        self.passes = self.tokens = self.drafted = self.accepted = 0
        self._idle, self._pause = 0, FIRST_PAUSE
        self._seconds = self._plain_seconds = 0.0

    @property
    def is_off(self) -> bool:
        """Whether the last plan was to draft nothing."""
        return self._idle > 0

    @property
    def gain(self) -> float | None:
        """Time that plain passes would have taken over the time taken; None where nothing was timed."""
        return self._plain_seconds / self._seconds if self._seconds else None

    def decide(self, planned: int, room: int, *, company: int) -> int:
        """The length to draft: what was planned, or a short try after a long pause.

        Args:
            room: most tokens that may be drafted.
            company: requests of the pass that was planned.
        """
        self.company = company
        if planned:
            self._idle, self._pause = 0, FIRST_PAUSE
            return planned
        if not room:
            return 0
        self._idle += 1
        if self._idle <= self._pause:
            return 0
        if self._idle == self._pause + TRIES:
            self._idle, self._pause = 1, min(2 * self._pause, LONGEST_PAUSE)
        return min(TRY_LENGTH, room)

    def record(self, draft: Sequence[int], chosen: Sequence[int], hidden: Tensor) -> None:
        """Learn from the ids that one pass chose, the last of them from this hidden state."""
        accepted = count_accepted(chosen, draft)
        self.chances.record(len(draft), accepted)
        self.passes += 1
        self.tokens += len(chosen)
        self.drafted += len(draft)
        self.accepted += accepted
        self.hidden = hidden

    def time(self, seconds: float, plain_seconds: float) -> None:
        """Take what a pass and its drafts took, and plain passes for as many tokens would have."""
        self._seconds += seconds
        self._plain_seconds += plain_seconds

    def check(self) -> None:
        """Every pass chose a token, beside the drafted ones that were right."""
        assert 0 <= self.accepted <= self.drafted
        assert self.passes <= self.tokens <= self.passes + self.accepted
        assert 0 <= self._idle < self._pause + TRIES
        assert FIRST_PAUSE <= self._pause <= LONGEST_PAUSE
        self.chances.check()
        self.history.check()
