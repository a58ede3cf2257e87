"""How far apart two sides may be, from what they are."""

from dataclasses import dataclass, replace

import torch

from .divergence import Divergence
from .subject import Subject

BLIND_BELOW = 1e-6
"""A medium that changes the logits by less than this, of the largest logit, was not looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tolerance:
    """Limits; a comparison must keep all of them.

    Attributes:
        relative: of `Divergence.relative`; None: not judged.
        kl: of `Divergence.kl_mean`, in nats.
        top1: the least `Divergence.top1`.
        layer: of `LayerDifference.relative`; above it a layer is called different.
        why: what the limits are made for.
    """

    relative: float | None
    kl: float
    top1: float
    layer: float
    why: str

    def exceeded(self, divergence: Divergence) -> tuple[str, ...]:
        """Which limits a comparison breaks, one phrase each with value and limit."""
        if not divergence.is_finite:
            return ("there are logits that are not finite numbers",)
        broken = []  # written so that a limit of NaN is never kept
        if self.relative is not None and not divergence.relative <= self.relative:
            broken.append(
                f"logit difference {divergence.relative:.2g} of the largest logit "
                f"(limit {self.relative:.2g})"
            )
        if not divergence.kl_mean <= self.kl:
            broken.append(f"KL {divergence.kl_mean:.2g} nats (limit {self.kl:.2g})")
        if not divergence.top1 >= self.top1:
            broken.append(f"top-1 agreement {divergence.top1:.1%} (limit {self.top1:.1%})")
        return tuple(broken)


SAME_NUMBERS = Tolerance(
    relative=5e-4, kl=1e-6, top1=0.98, layer=1e-3, why="same weights, computed in float32"
)
HALF_PRECISION = Tolerance(
    relative=0.25, kl=0.02, top1=0.85, layer=0.2, why="weights or arithmetic of 16 bits"
)
QUANTIZED = Tolerance(
    relative=None, kl=0.1, top1=0.9, layer=0.5, why="quantized weights against others"
)


def default_tolerance(model: Subject, against: Subject) -> Tolerance:
    """The limits for two sides.

    Equal weights in float32 differ by the order of summation alone, which ten random layers magnify to
    1e-4 of the largest logit; trained ones stay far below. 16 bits round each layer's output. Quantized
    weights are other weights: only what comes out can be judged.
    """
    same_file = model.checkpoint.path.resolve() == against.checkpoint.path.resolve()
    if not same_file and (model.is_quantized or against.is_quantized):
        return QUANTIZED
    single = model.dtype is torch.float32 and against.dtype is torch.float32
    if single and (same_file or model.encodings == against.encodings):
        return SAME_NUMBERS
    return HALF_PRECISION


def with_limits(
    tolerance: Tolerance,
    *,
    relative: float | None = None,
    kl: float | None = None,
    top1: float | None = None,
) -> Tolerance:
    """The tolerance with the user's limits in place of ours, where given."""
    if relative is None and kl is None and top1 is None:
        return tolerance
    return replace(
        tolerance,
        relative=tolerance.relative if relative is None else relative,
        kl=tolerance.kl if kl is None else kl,
        top1=tolerance.top1 if top1 is None else top1,
        why=f"{tolerance.why}; limits given",
    )
