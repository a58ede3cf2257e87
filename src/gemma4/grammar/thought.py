"""The thought before an answer: when its channel may open, and when it must close."""

from enum import StrEnum

from .rules import ThoughtRule


class Channel(StrEnum):
    """Where an answer stands with its thought."""

    CLOSED = "closed"
    OPEN = "open"


class ThoughtState:
    """Follows the thoughts of one answer.

    Attributes:
        closed: whether the channel was closed because the budget was used up.
        tokens: of thoughts so far, the tokens that open them included.
    """

    def __init__(self, rule: ThoughtRule, *, opener: int | None, closer: int | None) -> None:
        self._rule, self._opener, self._closer = rule, opener, closer
        self.channel = Channel.OPEN if rule.opens_thought else Channel.CLOSED
        self.tokens = 0
        self.closed = False

    @property
    def may_open(self) -> bool:
        """Whether a thought may be opened now, as far as the budget goes."""
        return (
            self._rule.allowed
            and self.channel is Channel.CLOSED
            and (self._rule.budget is None or self.tokens < self._rule.budget)
        )

    @property
    def must_close(self) -> bool:
        """Whether the budget is used up inside a thought."""
        budget = self._rule.budget
        return self.channel is Channel.OPEN and budget is not None and self.tokens >= budget

    def accept(self, token: int) -> bool:
        """Take a token; whether it belongs to a thought, its marks included."""
        if self.channel is Channel.OPEN:
            if token == self._closer:
                self.closed |= self.must_close
                self.channel = Channel.CLOSED
            else:
                self.tokens += 1
            return True
        if token == self._opener:
            self.channel = Channel.OPEN
            self.tokens += 1
            return True
        return False
