"""Where drafts come from. Letters: D target width, V vocab."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...model.paged_kv import PagedKV


@dataclass(frozen=True, slots=True, kw_only=True)
class Tip:
    """The end of one request, from which a draft goes on.

    Attributes:
        ids: int32 [T + 1], prompt and answer so far. The last one has been chosen but not yet read by
            the target, which holds keys and values of the T before it.
        hidden: [D], the target's hidden state after its final norm from which the last id was chosen.
        kv, place: the pages of the target's keys and values, and which of the requests there it is.
        guess: the id that the sampler would choose from these scores [V], so many tokens from now.
    """

    ids: NDArray[np.int32]
    hidden: Tensor
    kv: PagedKV
    place: int
    guess: Callable[[Tensor, int], int]


class DraftSource(Protocol):
    """Guesses the next tokens of requests."""

    @property
    def name(self) -> str:
        """What the answer calls it."""
        ...

    def propose(self, tips: Sequence[Tip], counts: Sequence[int]) -> list[tuple[int, ...]]:
        """At most so many ids for each request; none where there is nothing to guess from."""
        ...
