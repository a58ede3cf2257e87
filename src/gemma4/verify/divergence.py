"""How far two sets of logits are apart. Letters: R rows, V vocab."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import VerificationError

_ROWS_AT_ONCE = 16  # float64 rows of 262144 scores: 32 MiB


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """Of scores from those of the reference.

    Attributes:
        rows: compared.
        largest: largest difference of a logit.
        relative: `largest` over the reference's largest logit, both without sign.
        kl_mean, kl_max: KL(reference ‖ other) of the rows' softmax, in nats.
        top1: share of the rows whose likeliest token is the same.
        first_row: the first row that differs, see `diverge`; None: none does.
    """

    rows: int
    largest: float
    relative: float
    kl_mean: float
    kl_max: float
    top1: float
    first_row: int | None

    @property
    def is_finite(self) -> bool:
        """False if either side gave NaN or an infinite score."""
        return math.isfinite(self.relative) and math.isfinite(self.kl_max)


def diverge(found: Tensor, reference: Tensor, *, threshold: float | None = None) -> Divergence:
    """Compare logits [R, V] of the same rows; differences in float32, KL in float64.

    Args:
        threshold: a row differs if its relative difference is above this; None: if its top token is
            another one.

    Raises:
        VerificationError: the shapes differ, or there is no row.
    """
    if found.shape != reference.shape or found.ndim != 2 or not len(found):
        raise VerificationError(
            f"logits of shapes {list(found.shape)} and {list(reference.shape)} cannot be compared; "
            "the two are not the same model"
        )
    differences = (found.float() - reference.float()).abs().amax(-1)  # [R]
    scale = reference.float().abs().max().clamp_min(torch.finfo(torch.float32).tiny)
    agrees = found.argmax(-1) == reference.argmax(-1)  # [R]
    differs = ~agrees if threshold is None else ~(differences / scale <= threshold)  # NaN differs
    rows = differs.nonzero().flatten().tolist()
    divergences = torch.cat(
        [
            _kl(reference[start : start + _ROWS_AT_ONCE], found[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(found), _ROWS_AT_ONCE)
        ]
    )
    return Divergence(
        rows=len(found),
        largest=float(differences.max()),
        relative=float(differences.max() / scale),
        kl_mean=float(divergences.mean()),
        kl_max=float(divergences.max()),
        top1=float(agrees.double().mean()),
        first_row=rows[0] if rows else None,
    )


def _kl(reference: Tensor, found: Tensor) -> Tensor:
    """KL(reference ‖ found) of each row [R], float64; what rounding makes negative is 0."""
    p, q = reference.double().log_softmax(-1), found.double().log_softmax(-1)
    return (p.exp() * (p - q)).sum(-1).clamp_min(0.0)
