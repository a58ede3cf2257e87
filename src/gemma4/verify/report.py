"""What a comparison found, as values, as JSON and as one sentence."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

from ..errors import VerificationError
from .divergence import Divergence
from .layers import LayerDifference, Verdict, first_difference
from .tolerance import BLIND_BELOW, Tolerance


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensitivity:
    """How much one side's logits change when another medium takes a medium's place.

    Attributes:
        side: `model` or `against`.
        medium: which, such as `image 2 of 2`.
        change: of the largest logit.
    """

    side: str
    medium: str
    change: float

    @property
    def is_blind(self) -> bool:
        """Whether the medium was not looked at; also if the logits are not finite."""
        return not self.change > BLIND_BELOW


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeResult:
    """Of one probe.

    Attributes:
        tokens: of the prompt; `divergence.rows` of them are compared.
        layers: every place inside, in the order of computation.
        problems: why the probe fails, one phrase each; empty: it passes.
    """

    name: str
    tokens: int
    divergence: Divergence
    layers: tuple[LayerDifference, ...]
    sensitivity: tuple[Sensitivity, ...]
    problems: tuple[str, ...]

    @property
    def first_difference(self) -> LayerDifference | None:
        """The first place that differs, is shaped otherwise, or that one side lacks."""
        return first_difference(self.layers)

    @property
    def least_change(self) -> float | None:
        """The smallest change that exchanging a medium makes, on either side; None without media."""
        return min((sensed.change for sensed in self.sensitivity), default=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Of a whole comparison.

    Attributes:
        model, against: what was compared with what.
        notes: what was not compared and why, and what happened on the way.
        problems: that no single probe has, such as tokenizers that differ.
    """

    model: str
    against: str
    tolerance: Tolerance
    probes: tuple[ProbeResult, ...]
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether everything is within the tolerance."""
        return not self.problems and not any(probe.problems for probe in self.probes)

    def check(self) -> None:
        """Raise unless everything is within the tolerance.

        Raises:
            VerificationError: with the first problem, where it begins, and how many there are.
        """
        if self.passed:
            return
        failures = [*self.problems]
        for probe in self.probes:
            where = probe.first_difference
            place = f"; first differing layer: {where.name} {where.verdict}" if where else ""
            failures += [f"{probe.name}: {problem}{place}" for problem in probe.problems]
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise VerificationError(
            f"{self.model} and {self.against} do not agree: {failures[0]}{more}"
        )

    def to_json(self) -> dict[str, Any]:
        """Everything; numbers that are not finite become null."""
        document: dict[str, Any] = _plain(dataclasses.asdict(self))
        document["passed"] = self.passed
        for entry, probe in zip(document["probes"], self.probes, strict=True):
            entry["passed"] = not probe.problems
            first = probe.first_difference
            entry["first_differing_layer"] = first.name if first else None
        return document


def structural_problems(layers: tuple[LayerDifference, ...]) -> tuple[str, ...]:
    """A phrase if places are missing or of other shapes: then the two are not the same model."""
    wrong = [line for line in layers if line.verdict in (Verdict.SHAPE, Verdict.MISSING)]
    if not wrong:
        return ()
    return (f"{len(wrong)} places cannot be compared, such as {wrong[0].name}: {wrong[0].detail}",)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(entry) for name, entry in value.items()}
        case list() | tuple():
            return [_plain(entry) for entry in value]
        case float():
            return value if math.isfinite(value) else None
        case _:
            return value
