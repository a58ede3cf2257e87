"""gelu(gate) · up over the sums of split products.

Letters: T rows, F width, S splits.
"""

import triton
import triton.language as tl

from .tile_values import gelu


@triton.jit
def gelu_gate_kernel(
    gate, up, out, num_parts, part_stride, gate_stride, up_stride, width,
    UP_IS_SPLIT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out[t, f] = gelu(Σ gate[s, t, f]) · up[t, f]; up is summed over its splits too if it has any.

    Programs: rows, blocks of columns.
    """
    row = tl.program_id(0).to(tl.int64)
    at = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    inside = at < width
    gates = tl.zeros((BLOCK,), tl.float32)
    ups = tl.zeros((BLOCK,), tl.float32)
    for part in range(num_parts):
        place = part * part_stride + row * gate_stride + at
        gates += tl.load(gate + place, mask=inside, other=0.0).to(tl.float32)
        if UP_IS_SPLIT:
            place = part * part_stride + row * up_stride + at
            ups += tl.load(up + place, mask=inside, other=0.0).to(tl.float32)
    if not UP_IS_SPLIT:
        ups = tl.load(up + row * up_stride + at, mask=inside, other=0.0).to(tl.float32)
    tl.store(out + row * width + at, (gelu(gates) * ups).to(out.dtype.element_ty), mask=inside)
