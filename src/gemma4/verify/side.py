"""One of the two sides that are compared: what it must be able to do. Letters: R rows, V vocab."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from .probe import Probe


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What a side gave for a probe.

    Attributes:
        logits: float32 [R, V] of the probe's rows, on the CPU.
        states: name of an inner place → float32 [rows, width], in the order of computation.
    """

    logits: Tensor
    states: Mapping[str, Tensor] = field(default_factory=dict)


class Side(Protocol):
    """A loaded model."""

    def observe(self, probe: Probe, *, inside: bool) -> Observation:
        """Run a probe; with `inside`, also keep what the layers gave."""
        ...
