"""Values of GGUF metadata as the configuration readers want them."""

import struct
from collections.abc import Mapping

from ..section import Section

Shapes = Mapping[str, tuple[int, ...]]
"""Tensor name → shape, outermost dimension first."""


def open_section(metadata: Mapping[str, object], prefix: str, problems: list[str]) -> Section:
    """Open the keys `prefix.…` as one object, whose keys are what follows the prefix."""
    start = f"{prefix}."
    data = {key[len(start) :]: value for key, value in metadata.items() if key.startswith(start)}
    return Section(data, prefix, problems)


def shortest(value: float) -> float:
    """The decimal that was meant by a number stored in single precision: 1e-06, not 9.99999997e-07."""
    rounded = float(f"{value:.7g}")
    try:
        same = struct.pack("<f", rounded) == struct.pack("<f", value)
    except OverflowError:  # beyond single precision: it was not stored in it
        return value
    return rounded if same else value
