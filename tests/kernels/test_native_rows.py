"""Norms, gates, rotations and look-ups of the native kernels beside `ops` and `quant`."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from native_products import FORMAT_NAMES, instruction_sets, native, random_weight
from native_steps import run_steps, unpacked

from gemma4.config import RopeConfig
from gemma4.ops.norm import rms_norm
from gemma4.ops.rope import cos_sin, inverse_frequencies

EPS = 1e-6
COUNTS = (1, 9, 17)
WIDTHS = (32, 1056, 2560)  # 1056: a piece of 1024 columns, and a rest

every_set = pytest.mark.parametrize("kernels", instruction_sets())


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@every_set
@pytest.mark.parametrize("weighted", [True, False])
def test_norms_are_those_of_ops(kernels: str, weighted: bool) -> None:
    """float32, 1e-6: the sum of squares goes in another order."""
    ours = native(kernels)
    for count in COUNTS:
        for width in WIDTHS:
            x, weight = 3 * normal(count, width), 1 + 0.3 * normal(width, seed=1)
            normed, packed = torch.empty(count, width), torch.empty(count, 4 * width).byte()
            run_steps(
                ours,
                lambda program, x=x, weight=weight, normed=normed, packed=packed: program.norm(
                    x=x.data_ptr(),
                    width=x.shape[1],
                    weight=weight.data_ptr() if weighted else 0,
                    eps=EPS,
                    normed=normed.data_ptr(),
                    packing=ours.module.Packing.FLOATS,
                    packed=packed.data_ptr(),
                ),
                count,
            )
            expected = rms_norm(x, weight if weighted else None, EPS)
            torch.testing.assert_close(normed, expected, rtol=1e-6, atol=1e-6)
            assert torch.equal(unpacked(packed, count, width), normed)


@every_set
def test_a_branch_is_normed_added_and_scaled(kernels: str) -> None:
    """float32, 1e-6."""
    for count in COUNTS:
        for width in WIDTHS:
            x, y = normal(count, width), 5 * normal(count, width, seed=1)
            weight = 1 + 0.3 * normal(width, seed=2)
            expected = (x + rms_norm(y, weight, EPS)) * 0.75
            run_steps(
                native(kernels),
                lambda program, x=x, y=y, weight=weight: program.add_norm(
                    x.data_ptr(), y.data_ptr(), weight.data_ptr(), x.shape[1], EPS, 0.75
                ),
                count,
            )
            torch.testing.assert_close(x, expected, rtol=1e-6, atol=1e-6)


@every_set
def test_gates_take_their_columns_from_wider_rows(kernels: str) -> None:
    """float32, 1e-6 of gelu (in its tanh form) times the other half."""
    ours = native(kernels)
    for count in COUNTS:
        for width in WIDTHS:
            both = 3 * normal(count, 2 * width + 32)
            packed = torch.empty(count, 4 * width).byte()
            run_steps(
                ours,
                lambda program, both=both, packed=packed, width=width: program.gate(
                    gate=both.data_ptr(),
                    ld_gate=both.shape[1],
                    up=both.data_ptr() + 4 * width,
                    ld_up=both.shape[1],
                    width=width,
                    packing=ours.module.Packing.FLOATS,
                    packed=packed.data_ptr(),
                ),
                count,
            )
            gate, up = both[:, :width], both[:, width : 2 * width]
            expected = F.gelu(gate, approximate="tanh") * up
            got = unpacked(packed, count, width)
            torch.testing.assert_close(got, expected, rtol=1e-6, atol=2e-6)


@every_set
def test_logits_are_capped(kernels: str) -> None:
    """float32, 1e-5 absolute at a cap of 30: tanh is right to 3e-7."""
    logits = 40 * normal(3, 2560)
    expected = torch.tanh(logits / 30) * 30
    run_steps(native(kernels), lambda program: program.softcap(2560, 30.0), 3, out=logits)
    torch.testing.assert_close(logits, expected, rtol=0, atol=1e-5)


@every_set
@pytest.mark.parametrize(("width", "fraction"), [(256, 1.0), (512, 0.25)])
def test_angles_are_those_of_ops(kernels: str, width: int, fraction: float) -> None:
    """float32, 1e-6, up to position 262,143."""
    frequencies = inverse_frequencies(RopeConfig(theta=1e6, rotary_fraction=fraction), width)
    positions = torch.tensor([0, 1, 511, 4097, 131_071, 262_143])
    cos, sin = torch.empty(6, width // 2), torch.empty(6, width // 2)
    run_steps(
        native(kernels),
        lambda program: program.rotation(
            frequencies.data_ptr(), width // 2, cos.data_ptr(), sin.data_ptr()
        ),
        6,
        positions=positions,
    )
    for got, expected in zip(
        (cos, sin), cos_sin(positions, frequencies, torch.float32), strict=True
    ):
        torch.testing.assert_close(got, expected[:, 0], rtol=0, atol=1e-6)


@every_set
@pytest.mark.parametrize("name", [name for name in FORMAT_NAMES if name != "W4A16"])
def test_looked_up_rows_have_the_bits_of_dequantize(kernels: str, name: str) -> None:
    ours = native(kernels)
    table = random_weight(ours, name, 100, 768, np.random.default_rng(5), aligned=False)
    ids, x = torch.tensor([0, 99, 7, 7, 42, 3, 98, 1, 50]), torch.empty(9, 768)
    for factor in (1.0, math.sqrt(768)):
        run_steps(
            ours,
            lambda program, factor=factor: program.embed(table.matrix, factor, x.data_ptr()),
            9,
            ids=ids,
        )
        assert torch.equal(x, table.numbers[ids] * torch.tensor(factor))


@every_set
@pytest.mark.parametrize("name", ["BF16", "Q5_K", "Q8_0"])
def test_per_layer_inputs_join_a_token_and_its_context(kernels: str, name: str) -> None:
    """float32, 1e-6: layers 2 to 4 of 5, 256 numbers each."""
    ours = native(kernels)
    table = random_weight(ours, name, 64, 5 * 256, np.random.default_rng(6))
    ids, inputs = torch.randint(64, (11,)), normal(11, 3 * 256)
    weight, factor = 1 + 0.3 * normal(256, seed=1), 1536**-0.5
    context = rms_norm((inputs * factor).view(11, 3, 256), weight, EPS)
    token = table.numbers[ids].view(11, 5, 256)[:, 2:]
    expected = (context + token * 16) * 2**-0.5
    run_steps(
        ours,
        lambda program: program.per_layer(
            table.matrix, 2, 3, 256, weight.data_ptr(), EPS, factor, inputs.data_ptr()
        ),
        11,
        ids=ids,
    )
    torch.testing.assert_close(inputs.view(11, 3, 256), expected, rtol=1e-6, atol=1e-6)


def test_rows_are_gathered() -> None:
    source, target, rows = normal(9, 96), torch.empty(3, 96), torch.tensor([8, 0, 5])
    run_steps(
        native(),
        lambda program: program.gather(source.data_ptr(), target.data_ptr(), 96),
        3,
        rows=rows,
    )
    assert torch.equal(target, source[rows])
