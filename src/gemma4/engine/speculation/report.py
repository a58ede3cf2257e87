"""What an answer says about its drafts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeculationReport:
    """Counts of one request.

    Attributes:
        source: where drafts came from: `lookup`, or the drafter.
        passes: of the model, for so many tokens.
        drafted, accepted: tokens guessed, and guessed right.
        acceptance: the share that was right; None without drafts.
        gain: measured speed against plain passes; 1.3 is 30 % faster. None where nothing was measured.
        off_reason: why no drafts are made at the end of the answer, or None.
        error: the error that stopped drafting, in words, or None.
    """

    source: str
    passes: int
    tokens: int
    drafted: int
    accepted: int
    acceptance: float | None
    gain: float | None
    off_reason: str | None
    error: str | None = None
