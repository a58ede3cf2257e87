"""The angles of a pass's positions, for each width of heads. Letters: T tokens, H head dim."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ...config import LayerSpec
from ...ops.rope import inverse_frequencies
from .workspace import Workspace


def add_rotations(
    space: Workspace, program: Any, specs: Iterable[LayerSpec]
) -> dict[int, tuple[Tensor, Tensor]]:
    """Append the steps that fill cosines and sines [T, H / 2] for the layers; both by head dim."""
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for spec in specs:
        if spec.head_dim in found:
            continue
        half = spec.head_dim // 2
        frequencies = space.vector(inverse_frequencies(spec.rope, spec.head_dim))
        cos, sin = space.floats(f"cos {half}", half), space.floats(f"sin {half}", half)
        program.rotation(frequencies, half, cos.data_ptr(), sin.data_ptr())
        found[spec.head_dim] = cos, sin
    return found
