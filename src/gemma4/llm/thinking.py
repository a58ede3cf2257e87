"""How much a model may think before it answers: a word → on or off, and a token budget."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EFFORTS: Final[Mapping[str, int | None]] = {
    "off": 0,
    "none": 0,
    "minimal": 256,
    "low": 1024,
    "medium": 4096,
    "high": 16384,
    "xhigh": 32768,
    "on": None,
    "max": None,
}
"""Most tokens of a thought by the word for it; 0: no thought; None: as long as the answer may be."""


@dataclass(frozen=True, slots=True)
class Thinking:
    """Whether a model thinks, and for how many tokens at most; None: no limit of its own."""

    enabled: bool = False
    budget: int | None = None

    @property
    def word(self) -> str:
        """The table's word for it; the budget in tokens where there is none."""
        wanted = self.budget if self.enabled else 0
        return next((word for word, most in EFFORTS.items() if most == wanted), str(wanted))


def find_thinking(word: str) -> Thinking | None:
    """What a word such as `medium` means; None for a word that is not in the table."""
    key = word.strip().lower()
    if key not in EFFORTS:
        return None
    budget = EFFORTS[key]
    return Thinking(enabled=budget != 0, budget=budget or None)
