"""Products on a GPU against plain ones in float32.

Kernels that use tensor cores run here in float16 and float32: the interpreter multiplies bfloat16 as if
its bits were integers. Inputs are float16 numbers, so only the order of float32 sums and the last rounding
differ.
"""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from triton_weights import random_packed

from gemma4.kernels.cuda.linear import gated_linear, gelu_gate, linear
from gemma4.kernels.cuda.packed import PackedMatrix
from gemma4.kernels.cuda.tuning import Tuning

FORMATS = ["Q4_0", "Q8_0", "W4A16/64", "W4A16/128", "W4A16/256"]


def values(weight: Tensor | PackedMatrix) -> Tensor:
    return weight.dequantize() if isinstance(weight, PackedMatrix) else weight.float()


def error(found: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest number."""
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    ("name", "tokens", "rows"),
    [
        *((name, 1, 32) for name in FORMATS),
        ("Q4_0", 3, 70),
        ("Q8_0", 3, 70),
        ("Q8_0", 16, 33),
        ("W4A16/64", 16, 33),
    ],
)
def test_few_rows_by_a_quantized_matrix(name: str, tokens: int, rows: int) -> None:
    """float32 sums of exact products: 1e-5."""
    torch.manual_seed(tokens)
    weight = random_packed(name, rows, 512)
    x = torch.randn(tokens, 512).half()
    parts = linear(x, weight, Tuning())
    assert parts.dtype is torch.float32
    assert error(parts.sum(0), x.float() @ values(weight).T) < 1e-5


@pytest.mark.parametrize("name", ["Q4_0", "Q8_0"])
@pytest.mark.parametrize("columns", [32, 96, 160, 672])
def test_columns_that_fill_no_block(name: str, columns: int) -> None:
    torch.manual_seed(columns)
    weight = random_packed(name, 40, columns)
    x = torch.randn(2, columns).half()
    assert error(linear(x, weight, Tuning()).sum(0), x.float() @ values(weight).T) < 1e-5


def test_splits_add_up_to_the_product_and_depend_on_the_matrix_alone() -> None:
    torch.manual_seed(0)
    weight = random_packed("Q4_0", 32, 2560)
    x = torch.randn(8, 2560).half()
    parts = linear(x, weight, Tuning())
    assert parts.shape[0] == 5
    assert error(parts.sum(0), x.float() @ values(weight).T) < 1e-5
    alone = linear(x[5:6], weight, Tuning())
    assert torch.equal(parts[:, 5:6], alone)  # a row's bits do not depend on its neighbours


@pytest.mark.parametrize("name", ["Q4_0", "Q8_0", "W4A16/128"])
@pytest.mark.parametrize(("tokens", "rows"), [(17, 64), (65, 150)])
def test_many_rows_by_a_quantized_matrix(name: str, tokens: int, rows: int) -> None:
    """Weights and results rounded to float16: 2^-10."""
    torch.manual_seed(tokens)
    weight = random_packed(name, rows, 256)
    x = torch.randn(tokens, 256).half()
    found = linear(x, weight, Tuning())
    assert found.shape == (1, tokens, rows)
    assert error(found[0].float(), x.float() @ values(weight).T) < 2**-10


def test_a_long_prompt_expands_the_matrix_first() -> None:
    torch.manual_seed(1)
    weight = random_packed("Q4_0", 64, 256)
    x = torch.randn(20, 256).half()
    found = linear(x, weight, Tuning(expand_rows=20))[0]
    assert torch.equal(found, F.linear(x, weight.dequantize().half()))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize(
    ("tokens", "rows", "columns"), [(1, 32, 512), (5, 70, 200), (8, 8, 64), (16, 40, 1100)]
)
def test_few_rows_by_a_plain_matrix(
    tokens: int, rows: int, columns: int, dtype: torch.dtype
) -> None:
    """Sums in float32: 1e-5."""
    torch.manual_seed(rows)
    weight, x = torch.randn(rows, columns).to(dtype), torch.randn(tokens, columns).to(dtype)
    assert error(linear(x, weight, Tuning()).sum(0), x.float() @ weight.float().T) < 1e-5


@pytest.mark.parametrize("kind", ["plain", "Q4_0", "Q8_0"])
@pytest.mark.parametrize("tokens", [1, 11, 40])
def test_gated_products(kind: str, tokens: int) -> None:
    """float16 results, 2^-10; many rows round gate and up to float16 too, 2^-8."""
    torch.manual_seed(tokens)
    weight: Tensor | PackedMatrix = (
        torch.randn(128, 256).half() / 16 if kind == "plain" else random_packed(kind, 128, 256)
    )
    x = torch.randn(tokens, 256).half()
    gate, up = (x.float() @ values(weight).T).chunk(2, dim=-1)
    expected = F.gelu(gate, approximate="tanh") * up
    assert error(gated_linear(x, weight, Tuning()).float(), expected) < 2**-8


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gate_of_split_sums(dtype: torch.dtype, whole: bool) -> None:
    """float32: 1e-6. bfloat16: 2^-7, for the interpreter cuts off where a GPU rounds."""
    torch.manual_seed(2)
    gate, up = torch.randn(3, 2, 1500), torch.randn(3, 2, 1500)
    gate[0, 0, :4] = torch.tensor([-1e4, 1e4, -30.0, 0.0])
    out = torch.empty(2, 1500, dtype=dtype)
    gelu_gate(gate, up[0] if whole else up, out)
    expected = F.gelu(gate.sum(0), approximate="tanh") * (up[0] if whole else up.sum(0))
    bound = 1e-6 if dtype is torch.float32 else 2**-7
    torch.testing.assert_close(out.float(), expected, rtol=bound, atol=1e-6)
