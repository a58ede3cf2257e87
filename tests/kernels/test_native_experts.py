"""Routing and the experts' products of the native kernels beside `ops.moe`."""

import numpy as np
import pytest
import torch
from native_products import RandomWeight, instruction_sets, native, random_weight
from native_steps import run_steps
from torch import Tensor

from gemma4.kernels.native import Native
from gemma4.ops import moe

EXPERTS, TOP_K, WIDTH, INNER = 12, 3, 256, 512
COUNTS = (1, 2, 9, 40)
# Relative to the largest number: plain weights differ by the order of sums, blocks by activations
# rounded to 8 bits twice, bfloat16 by activations rounded to bfloat16.
TOLERANCES = {
    "F32": 2e-6, "F16": 2e-6, "BF16": 1e-2,
    "Q4_0": 4e-2, "Q6_K": 4e-2, "Q8_0": 4e-2, "W4A16": 4e-2,
}  # fmt: skip


def run(
    ours: Native,
    x: Tensor,
    logits: Tensor,
    scale: Tensor,
    gate_up: RandomWeight,
    down: RandomWeight,
) -> Tensor:
    """What the layers' steps make of x [T, D]: route, spread, multiply, gate, multiply, combine."""
    module, tokens = ours.module, x.shape[0]
    slots = tokens * TOP_K
    routing = module.Routing(EXPERTS, TOP_K, max_tokens=tokens)
    out = torch.empty(tokens, WIDTH)
    gates, outs = torch.empty(slots, 2 * INNER), torch.empty(slots, WIDTH)
    for_up, for_down = (torch.empty(slots, 4 * columns).byte() for columns in (WIDTH, INNER))

    def first(weight: RandomWeight, rows: int) -> tuple[object, object]:
        """The first expert's matrix and its packing; the others follow in memory."""
        format = getattr(module.Format, weight.format)
        columns = weight.shape[1]
        whole = weight.owner[0] if isinstance(weight.owner, tuple) else weight.owner
        scales = weight.owner[1].data_ptr() if isinstance(weight.owner, tuple) else 0
        matrix = module.Matrix(whole.ctypes.data, rows, columns, whole.shape[1], format, scales, 32)
        return matrix, module.packing_for(format)

    (up_matrix, up_packing), (down_matrix, down_packing) = (
        first(gate_up, 2 * INNER),
        first(down, WIDTH),
    )

    def add(program: object) -> None:
        program.route(logits.data_ptr(), scale.data_ptr(), routing)
        program.spread(routing, x.data_ptr(), WIDTH, up_packing, for_up.data_ptr())
        program.expert_linear(routing, up_matrix, for_up.data_ptr(), gates.data_ptr())
        program.expert_gate(routing, gates.data_ptr(), INNER, down_packing, for_down.data_ptr())
        program.expert_linear(routing, down_matrix, for_down.data_ptr(), outs.data_ptr())
        program.combine(routing, outs.data_ptr(), WIDTH, out.data_ptr())

    run_steps(ours, add, tokens)
    return out


@pytest.mark.parametrize("name", list(TOLERANCES))
@pytest.mark.parametrize("kernels", instruction_sets())
def test_experts_are_those_of_ops(kernels: str, name: str) -> None:
    ours, rng = native(kernels), np.random.default_rng(3)
    gate_up = random_weight(ours, name, EXPERTS * 2 * INNER, WIDTH, rng)
    down = random_weight(ours, name, EXPERTS * WIDTH, INNER, rng)
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(max(COUNTS), WIDTH, generator=generator)
    logits = 2 * torch.randn(max(COUNTS), EXPERTS, generator=generator)
    logits[5:20] = logits[4]  # many tokens with the same experts, some experts without
    scale = 0.5 + torch.rand(EXPERTS, generator=generator)
    weights, experts = moe.route(logits, scale, TOP_K)
    expected = moe.run_experts(
        x,
        weights,
        experts,
        gate_up.numbers.view(EXPERTS, 2 * INNER, WIDTH),
        down.numbers.view(EXPERTS, WIDTH, INNER),
    )
    whole = run(ours, x, logits, scale, gate_up, down)
    error = (whole - expected).abs().amax(-1) / expected.abs().amax(-1)
    assert float(error.max()) < TOLERANCES[name]
    for count in COUNTS[:-1]:  # the same bits in any company
        assert torch.equal(
            run(ours, x[:count], logits[:count], scale, gate_up, down), whole[:count]
        )
