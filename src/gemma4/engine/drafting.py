"""The seam for speculation: guesses that the model checks several at a time.

    propose      ids that may follow a request's last one            d₁ … d_k
    the engine   computes last id, d₁ … d_k in one pass: k + 1 rows of logits; chooses from each in turn
                 and stops at the first choice that is not the draft
    learn        is told what was chosen, and the hidden states that the next guesses start from

The sampler chooses each token exactly as it would without drafts, so no guess changes an answer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..model.paged_kv import PagedKV
from .request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a pass did for one request that came to choosing.

    Attributes:
        drafted: ids that were checked; fewer than were proposed if pages were short.
        chosen: ids that were chosen, one that stops included: right guesses and one token more, unless
            the answer ended before.
        hidden: [D] behind the final norm, of the row that the last of them was chosen from.
        read_prompt: True if the pass read the end of its prompt, or of ids to be computed again.
    """

    request: Request
    drafted: tuple[int, ...]
    chosen: tuple[int, ...]
    hidden: Tensor
    read_prompt: bool


class Drafting(Protocol):
    """Guesses for all requests of one engine, with what it remembers of each."""

    def propose(self, requests: Sequence[Request], kv: PagedKV) -> Mapping[int, Sequence[int]]:
        """Drafted ids by request number; none, or no entry, where it does not pay.

        Args:
            requests: that decode and were learnt of before: all ids but the last are computed.
            kv: their pages in this order, which a drafter reads.
        """
        ...

    def learn(self, passed: Sequence[Passed], *, seconds: float | None) -> None:
        """Take the outcome of one pass.

        Args:
            passed: every request that came to choosing.
            seconds: of the pass with its choices; None if it read prompts too.
        """
        ...

    def forget(self, request: Request) -> None:
        """A request is over."""
        ...

    def check(self) -> None:
        """What it remembers is sound."""
        ...
