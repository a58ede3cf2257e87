"""The angles of a pass's positions, for each kind of layer. Letters: T tokens, H head dim."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor

from ...config import LayerKind, LayerSpec
from ...ops.rope import inverse_frequencies
from .workspace import Workspace


def add_rotations(
    space: Workspace, program: Any, specs: Iterable[LayerSpec]
) -> dict[LayerKind, tuple[Tensor, Tensor]]:
    """Append the steps that fill cosines and sines [T, H / 2] for the layers; both by kind.

    Not by width: Gemma 3's heads are as wide in both kinds, and turn at other speeds.
    """
    found: dict[LayerKind, tuple[Tensor, Tensor]] = {}
    for spec in specs:
        if spec.kind in found:
            continue
        half = spec.head_dim // 2
        frequencies = space.vector(inverse_frequencies(spec.rope, spec.head_dim))
        cos = space.floats(f"cos {spec.kind.value}", half)
        sin = space.floats(f"sin {spec.kind.value}", half)
        program.rotation(frequencies, half, cos.data_ptr(), sin.data_ptr())
        found[spec.kind] = cos, sin
    return found
