"""Layer by layer: where two runs of the same prompt part."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor


class Verdict(StrEnum):
    """Of one place inside the model."""

    OK = "OK"
    DIFF = "DIFF"
    SHAPE = "SHAPE"
    MISSING = "MISSING"


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDifference:
    """One line of the table.

    Attributes:
        name: of the place, such as `layer 4 (full)`.
        largest, mean: of the differences without sign; None where nothing can be subtracted.
        relative: the worst row's: length of the difference over length of the reference's row. One
            wrong token shows, and the few huge values of a trained model's stream hide nothing.
        detail: both shapes, or which side lacks the place.
    """

    name: str
    verdict: Verdict
    largest: float | None = None
    mean: float | None = None
    relative: float | None = None
    detail: str = ""


def compare_layers(
    found: Mapping[str, Tensor],
    reference: Mapping[str, Tensor],
    *,
    threshold: float,
    names: tuple[str, str],
) -> tuple[LayerDifference, ...]:
    """Compare what two sides kept, in the order of computation.

    Args:
        found, reference: name → float32 [rows, width].
        threshold: the largest `relative` that is OK.
        names: of the two sides, for places that one of them lacks.
    """
    lines = []
    for name in _merged_order(list(found), list(reference)):
        ours, theirs = found.get(name), reference.get(name)
        if ours is None or theirs is None:
            lacking = names[0] if ours is None else names[1]
            detail = f"not in {lacking}"
            lines.append(LayerDifference(name=name, verdict=Verdict.MISSING, detail=detail))
        else:
            lines.append(_compare(name, ours, theirs, threshold))
    return tuple(lines)


def first_difference(lines: Sequence[LayerDifference]) -> LayerDifference | None:
    """The first line that is not OK."""
    return next((line for line in lines if line.verdict is not Verdict.OK), None)


def _compare(name: str, found: Tensor, reference: Tensor, threshold: float) -> LayerDifference:
    if found.shape != reference.shape:
        detail = f"{list(found.shape)} and {list(reference.shape)}"
        return LayerDifference(name=name, verdict=Verdict.SHAPE, detail=detail)
    difference = found - reference
    lengths = reference.norm(dim=-1).clamp_min(torch.finfo(torch.float32).tiny)
    relative = float((difference.norm(dim=-1) / lengths).max()) if difference.numel() else 0.0
    magnitude = difference.abs()
    return LayerDifference(
        name=name,
        verdict=Verdict.OK if relative <= threshold else Verdict.DIFF,  # NaN is a difference
        largest=float(magnitude.max()) if magnitude.numel() else 0.0,
        mean=float(magnitude.mean()) if magnitude.numel() else 0.0,
        relative=relative,
    )


def _merged_order(first: Sequence[str], second: Sequence[str]) -> list[str]:
    """All names once, in the order of both: what only the second has stands before what follows it there."""
    order = list(first)
    for index, name in enumerate(second):
        if name in order:
            continue
        before = [order.index(other) for other in second[:index] if other in order]
        order.insert(max(before, default=-1) + 1, name)
    return order
