"""Drafts of so many words that are hardly ever right: they measure what checking costs, not what it gains."""

from collections.abc import Mapping, Sequence

from ...engine.drafting import Passed
from ...engine.request import Request
from ...model.paged_kv import PagedKV


class FixedDrafts:
    """The same drafts for every request.

    Attributes:
        count: how many; 0 for steps without drafts.
    """

    def __init__(self, words: Sequence[int]) -> None:
        self.count = 0
        self._words = tuple(words)

    def propose(self, requests: Sequence[Request], kv: PagedKV) -> Mapping[int, Sequence[int]]:
        """So many of the words, for everyone."""
        del kv
        assert self.count <= len(self._words)
        return {request.number: self._words[: self.count] for request in requests}

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        """Nothing is learnt."""

    def forget(self, request: Request) -> None:
        """Nothing was kept."""

    def check(self) -> None:
        """There are words enough."""
        assert 0 <= self.count <= len(self._words)
