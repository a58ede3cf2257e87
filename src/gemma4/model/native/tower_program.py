"""Programs of a tower: rows on their way to linears whose inputs and outputs have bounds.

Letters: T patches or tokens, W width of a row.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ...kernels.native import Native
from ..clippable_linear import ClippableLinear
from ..norm import RMSNorm
from .weights import Weight, media_weight
from .workspace import Workspace

Bounds = tuple[float, float]
UNBOUNDED: Bounds = (-math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What a linear reads: source → clamp to ±limit → norm → SiLU.

    Attributes:
        x: float32 [T, W], rows any distance apart.
        source: `COPY`; `GELU`: gelu(x) · other; `SIGMOID`: x · sigmoid(other); `CONVOLUTION`: x causally
            convolved over T with other [taps, W].
        activates: ends with SiLU.
    """

    x: Tensor
    source: str = "COPY"
    other: Tensor | None = None
    limit: float = math.inf
    norm: RMSNorm | None = None
    activates: bool = False


class TowerProgram:
    """A program over at most `workspace.capacity` tokens, step by step."""

    def __init__(self, native: Native, workspace: Workspace) -> None:
        self._native = native
        self._space = workspace
        self.steps = native.program()

    def linears(
        self, row: Row, products: Sequence[tuple[nn.Module, Tensor]], *, limit: float = math.inf
    ) -> None:
        """Each y = W · row, inputs and outputs in the linear's bounds, outputs also within ±limit."""
        groups: dict[tuple[Any, Bounds], list[tuple[Weight, Bounds, Tensor]]] = defaultdict(list)
        for module, y in products:
            linear, inputs, outputs = _parts(module)
            weight = self._space.keep(media_weight(self._native, linear))
            limited = max(outputs[0], -limit), min(outputs[1], limit)
            groups[weight.packing, inputs].append((weight, limited, y))
        for (packing, inputs), members in groups.items():
            width = members[0][0].packed_bytes
            packed = self._space.bytes(str(packing), width).data_ptr()
            self._row(row, inputs, 0, packing, packed)
            self.steps.clipped_linear(
                [(weight.matrix, y.data_ptr(), y.stride(0), *out) for weight, out, y in members],
                packed,
            )

    def store(self, row: Row, out: Tensor) -> None:
        """out [T, W] = row; out may be what the row reads, unless it is convolved."""
        self._row(row, UNBOUNDED, out.data_ptr(), self._native.module.Packing.FLOATS, 0)

    def add_normed(self, x: Tensor, y: Tensor, norm: RMSNorm, factor: float = 1.0) -> None:
        """x += factor · norm(y), both [T, W], x contiguous."""
        weight = self._space.vector(norm.weight.float() * factor)
        self.steps.add(x.data_ptr(), y.data_ptr(), y.stride(0), x.shape[1], weight, norm.eps)

    def add(self, x: Tensor, y: Tensor) -> None:
        """x += y, both [T, W], x contiguous."""
        self.steps.add(x.data_ptr(), y.data_ptr(), y.stride(0), x.shape[1], 0, 0.0)

    def run(self, count: int) -> None:
        """All steps for the first `count` rows of the buffers."""
        self.steps.run(self._native.module.Pass(count, []))

    def _row(self, row: Row, bounds: Bounds, stored: int, packing: Any, packed: int) -> None:
        convolves = row.source == "CONVOLUTION"
        other = row.other
        self.steps.row(
            source=getattr(self._native.module.Source, row.source),
            x=row.x.data_ptr(),
            ldx=row.x.stride(0),
            other=0 if other is None else other.data_ptr(),
            ld_other=0 if other is None else other.shape[0] if convolves else other.stride(0),
            width=row.x.shape[1],
            limit=row.limit,
            normalizes=row.norm is not None,
            weight=0 if row.norm is None else self._space.vector(row.norm.weight),
            eps=0.0 if row.norm is None else row.norm.eps,
            activates=row.activates,
            low=bounds[0],
            high=bounds[1],
            stored=stored,
            packing=packing,
            packed=packed,
        )


def _parts(module: nn.Module) -> tuple[nn.Module, Bounds, Bounds]:
    """A linear, and the bounds of its input and of its output."""
    if not isinstance(module, ClippableLinear):
        return module, UNBOUNDED, UNBOUNDED
    if not module.clips:
        return module.linear, UNBOUNDED, UNBOUNDED
    inputs = float(module.input_min), float(module.input_max)
    return module.linear, inputs, (float(module.output_min), float(module.output_max))


def multiply(native: Native, linear: nn.Module, x: Tensor) -> Tensor:
    """x [T, W] through one linear, without its bias → float32."""
    space = Workspace(len(x))
    weight = space.keep(media_weight(native, linear))
    rows = space.keep(x.float().contiguous())
    out = torch.empty(len(x), weight.rows)
    program = TowerProgram(native, space)
    program.linears(Row(x=rows), [(linear, out)])
    program.run(len(x))
    return out
