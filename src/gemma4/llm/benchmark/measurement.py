"""One measurement: its rounds as they were timed, and what follows from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from statistics import median
from typing import Final

from .bandwidth import Bandwidth

OUTSIDE: Final = "outside"
"""Time of a pass that no step of the kernels took: scheduling, sampling, handing over."""


class Kind(StrEnum):
    """PREFILL reads a prompt, DECODE makes tokens, VERIFY checks drafts."""

    PREFILL = "prefill"
    DECODE = "decode"
    VERIFY = "verify"


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """What was timed at once.

    Attributes:
        num_tokens: read or made, by all streams together.
        passes: through the model.
        step_seconds: of as many passes without drafts, where drafts are checked.
        profile: seconds in each kind of the model's steps, where they are counted.
    """

    seconds: float
    num_tokens: int
    passes: int
    step_seconds: float | None = None
    profile: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """Rounds of the same kind; every figure is the median of the rounds' own.

    Attributes:
        tokens: of the prompt; of each stream's answer in a round; or of a pass that checks drafts.
        depth: tokens in front.
        pass_bytes: of weights that a decoding or checking pass reads.
    """

    kind: Kind
    tokens: int
    depth: int
    streams: int
    rounds: tuple[Round, ...]
    pass_bytes: int

    @property
    def speeds(self) -> tuple[float, ...]:
        """Tokens a second of each round, all streams together."""
        return tuple(one.num_tokens / one.seconds for one in self.rounds)

    @property
    def tokens_per_second(self) -> float:
        """Of all streams together; a checked draft counts whether it was right or not."""
        return median(self.speeds)

    @property
    def first_token_seconds(self) -> float | None:
        """From submitting a prompt to its first token."""
        if self.kind is not Kind.PREFILL:
            return None
        return median(one.seconds for one in self.rounds)

    @property
    def pass_seconds(self) -> float:
        """Of one pass; a long prompt takes several."""
        return median(one.seconds / one.passes for one in self.rounds)

    @property
    def pass_in_steps(self) -> float | None:
        """A checking pass in passes without drafts, round by round."""
        ratios = [one.seconds / one.step_seconds for one in self.rounds if one.step_seconds]
        return median(ratios) if ratios else None

    @property
    def weights_per_second(self) -> float | None:
        """Bytes of weights that decoding or checking reads; reading prompts is not bound by them."""
        return None if self.kind is Kind.PREFILL else self.pass_bytes / self.pass_seconds

    @property
    def profile(self) -> dict[str, float]:
        """Seconds of one pass in each kind of the model's steps, the most first, and outside of all.

        Means over all rounds, so that they add up; empty where nothing is counted.
        """
        totals: dict[str, float] = {}
        for one in self.rounds:
            for name, seconds in one.profile.items():
                totals[name] = totals.get(name, 0.0) + seconds
        if not totals:
            return {}
        ranked = dict(sorted(totals.items(), key=lambda item: -item[1]))
        ranked[OUTSIDE] = sum(one.seconds for one in self.rounds) - sum(totals.values())
        passes = sum(one.passes for one in self.rounds)
        return {name: seconds / passes for name, seconds in ranked.items() if seconds}

    def bandwidth_use(self, bandwidth: Bandwidth) -> dict[str, float | None]:
        """Shares of what the machine reads: of `weights` where they lie, and of any `memory`."""
        read = self.weights_per_second
        measured = {"weights": bandwidth.weights, "memory": bandwidth.memory}
        return {
            name: None if read is None or limit is None else read / limit
            for name, limit in measured.items()
        }
