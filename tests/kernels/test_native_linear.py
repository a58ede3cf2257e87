"""Linears of every format and instruction set beside dequantized weights and float64."""

import numpy as np
import pytest
import torch
from native_products import (
    FORMAT_NAMES,
    PLAIN,
    RandomWeight,
    instruction_sets,
    multiply,
    native,
    random_weight,
    rounded,
    rounding_bound,
)

COUNTS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 17, 40)
EXACT = 2e-6
"""Of the sum of magnitudes: float32 scales times scales, then one rounding for each group of 32."""


def shapes(name: str) -> list[tuple[int, int, int]]:
    """Rows that end inside a tile of 16, 8 and 4, columns that end inside eight blocks; W4A16's group."""
    if name.endswith("_K"):
        return [(16, 256, 0), (37, 768, 0), (51, 512, 0)]
    if name in PLAIN:
        return [(16, 8, 0), (37, 104, 0), (51, 264, 0), (18, 33, 0)]
    return [(16, 32, 32), (37, 160, 32), (51, 608, 32), (19, 512, 128), (18, 384, 384)]


def random_tokens(count: int, columns: int, rng: np.random.Generator) -> torch.Tensor:
    """Most at random, some of them large or small, one of zeros."""
    x = torch.from_numpy(rng.normal(size=(count, columns)).astype(np.float32))
    x[3::7] *= 1e4
    x[5::7] *= 1e-4
    x[6::7] = 0
    return x


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("kernels", instruction_sets())
def test_a_product_is_that_of_the_decoded_weight(kernels: str, name: str) -> None:
    """float32 beside float64: exact but for 2e-6 with rounded activations, within their rounding without."""
    ours, rng = native(kernels), np.random.default_rng(len(name))
    for number, (rows, columns, group) in enumerate(shapes(name)):
        aligned = number % 2 == 0
        weight = random_weight(ours, name, rows, columns, rng, group=group, aligned=aligned)
        x = random_tokens(max(COUNTS), columns, rng)
        numbers = weight.numbers.double()
        expected = rounded(name, x).double() @ numbers.T
        magnitudes = rounded(name, x).double().abs() @ numbers.abs().T
        (got,) = multiply(ours, [weight], x)
        slack = EXACT * magnitudes + 1e-30
        assert bool(((got - expected).abs() <= slack).all()), (rows, columns)
        plain = x.double() @ numbers.T
        allowed = rounding_bound(name, x, weight.numbers) + 2 * slack
        assert bool(((got - plain).abs() <= allowed).all()), (rows, columns)


@pytest.mark.parametrize("name", FORMAT_NAMES)
@pytest.mark.parametrize("kernels", instruction_sets())
def test_a_token_has_the_same_bits_in_any_company(kernels: str, name: str) -> None:
    ours, rng = native(kernels), np.random.default_rng(7)
    rows, columns, group = shapes(name)[1]
    weight = random_weight(ours, name, rows, columns, rng, group=group)
    x = random_tokens(max(COUNTS), columns, rng)
    alone = torch.cat([multiply(ours, [weight], row[None])[0] for row in x])
    for count in COUNTS:
        assert torch.equal(multiply(ours, [weight], x[:count])[0], alone[:count]), count


@pytest.mark.parametrize("kernels", instruction_sets())
def test_weights_that_read_the_same_activations_are_multiplied_in_one_step(kernels: str) -> None:
    ours, rng = native(kernels), np.random.default_rng(1)
    weights = [
        random_weight(ours, name, rows, 256, rng)
        for name, rows in (("Q8_0", 40), ("Q6_K", 16), ("Q5_0", 27))
    ]
    x = random_tokens(3, 256, rng)
    together = multiply(ours, weights, x)
    for weight, got in zip(weights, together, strict=True):
        assert torch.equal(got, multiply(ours, [weight], x)[0]), weight.format


@pytest.mark.parametrize("name", [name for name in FORMAT_NAMES if name != "BF16"])
def test_every_instruction_set_computes_the_same_bits(name: str) -> None:
    """BF16 is left out: the processor's own product of pairs takes tiny numbers for zero."""
    rng = np.random.default_rng(2)
    rows, columns, group = shapes(name)[-1]
    x = random_tokens(10, columns, rng)
    state = rng.bit_generator.state

    def product(kernels: str) -> torch.Tensor:
        rng.bit_generator.state = state
        ours = native(kernels)
        weight: RandomWeight = random_weight(ours, name, rows, columns, rng, group=group)
        return multiply(ours, [weight], x)[0]

    first, *others = [product(kernels) for kernels in instruction_sets()]
    for other in others:
        assert torch.equal(first, other)


def test_a_weight_that_does_not_fit_is_refused() -> None:
    ours, rng = native("portable"), np.random.default_rng(3)
    x = torch.ones(1, 32)
    with pytest.raises(ValueError, match=r"2 x 32 does not fit the kernels: at least 4 rows"):
        multiply(ours, [random_weight(ours, "Q8_0", 2, 32, rng)], x)
    with pytest.raises(ValueError, match="'mmx'"):
        ours.module.Program(ours.module.Pool(1), "mmx")


@pytest.mark.parametrize("name", ["F32", "Q8_0"])
@pytest.mark.parametrize("kernels", instruction_sets())
def test_bounds_hold_in_every_row_and_nowhere_else(kernels: str, name: str) -> None:
    """757 rows end inside a tile of any size, behind others that one thread takes with it."""
    ours, rng = native(kernels, num_threads=1), np.random.default_rng(4)
    weight = random_weight(ours, name, 757, 64, rng)
    x = random_tokens(17, 64, rng)
    module, packing = ours.module, ours.module.packing_for(getattr(ours.module.Format, name))
    packed = torch.empty(17, module.packed_bytes(packing, 64), dtype=torch.uint8)
    y = torch.full((17, 757 + 16), 1e9)
    program = ours.program()
    program.pack(x.data_ptr(), 64, 64, packing, packed.data_ptr())
    program.clipped_linear(
        [(weight.matrix, y.data_ptr(), y.stride(0), -0.25, 0.5)], packed.data_ptr()
    )
    program.run(module.Pass(17, []))
    assert torch.equal(y[:, :757], multiply(ours, [weight], x)[0].clamp(-0.25, 0.5))
    assert bool((y[:, 757:] == 1e9).all())
