"""Which ids a request has had, and how often each was generated, as short tensors for its penalties."""

import torch
from torch import Tensor


class TokenTally:
    """Grows with the answer.

    Attributes:
        seen: int64 ids, prompt included, without repeats.
        generated: int64 ids of the answer, without repeats. counts: float32, how often each came.
    """

    def __init__(self, prompt_ids: Tensor) -> None:
        self.seen = prompt_ids.cpu().unique()
        self.generated = torch.empty(0, dtype=torch.int64)
        self.counts = torch.empty(0)
        self._seen = set(self.seen.tolist())
        self._places: dict[int, int] = {}

    def add(self, token: int) -> None:
        """Take a token of the answer."""
        if token not in self._seen:
            self._seen.add(token)
            self.seen = torch.cat((self.seen, torch.tensor([token])))
        if token in self._places:
            self.counts[self._places[token]] += 1
        else:
            self._places[token] = len(self._places)
            self.generated = torch.cat((self.generated, torch.tensor([token])))
            self.counts = torch.cat((self.counts, torch.ones(1)))

    def check(self) -> None:
        """Ids stand once, those of the answer among all, each with how often it came."""
        assert len(self._seen) == self.seen.numel(), "an id was seen twice"
        assert self.generated.numel() == self.counts.numel() == len(self._places)
        assert self._seen.issuperset(self._places), "an id was generated and not seen"
        assert bool((self.counts >= 1).all())

    @property
    def num_generated(self) -> int:
        """Tokens of the answer."""
        return int(self.counts.sum())
