"""Laying weights out for a GPU changes where they lie and nothing else."""

import pytest
import torch
from triton_weights import BLOCK_BYTES, random_blocks, random_packed, random_w4a16

from gemma4.errors import CheckpointError
from gemma4.kernels.cuda.linear import expand
from gemma4.kernels.cuda.packed import pack_q4_0, pack_q8_0, pack_w4a16, stack_rows
from gemma4.kernels.cuda.tile_values import (
    BFLOAT16_BIAS,
    BFLOAT16_MAGIC,
    FLOAT16_BIAS,
    FLOAT16_MAGIC,
)
from gemma4.quant import FORMATS, PackedWeight, dequantize


@pytest.mark.parametrize("name", list(BLOCK_BYTES))
@pytest.mark.parametrize(("rows", "columns"), [(32, 128), (1, 32), (70, 224), (96, 704)])
def test_blocks_of_a_file_keep_every_bit(name: str, rows: int, columns: int) -> None:
    torch.manual_seed(rows)
    raw = random_blocks(name, rows, columns)
    packed = (pack_q4_0 if name == "Q4_0" else pack_q8_0)(raw)
    assert torch.equal(packed.dequantize(), dequantize(raw.numpy(), FORMATS[name]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize(
    ("columns", "group"), [(128, 32), (96, 32), (192, 64), (256, 128), (704, 704), (768, 256)]
)
def test_groups_keep_every_bit(columns: int, group: int, dtype: torch.dtype) -> None:
    torch.manual_seed(columns)
    weight = random_w4a16(40, columns, group, dtype)
    if group == 704:
        with pytest.raises(
            CheckpointError, match=r"groups of 704 columns.*load this matrix expanded"
        ):
            pack_w4a16(weight)
        return
    assert torch.equal(pack_w4a16(weight).dequantize(), weight.dequantize())


def test_stacked_matrices_lie_behind_each_other() -> None:
    parts = [random_packed("Q4_0", rows, 160) for rows in (64, 32, 96)]
    stacked = stack_rows(parts)
    assert stacked.rows == 192
    assert torch.equal(stacked.dequantize(), torch.cat([part.dequantize() for part in parts]))


def test_formats_that_differ_are_not_stacked() -> None:
    parts = [random_packed("Q4_0", 32, 128), random_packed("W4A16/128", 32, 128)]
    with pytest.raises(CheckpointError, match=r"2 kinds cannot be stacked.*load them expanded"):
        stack_rows(parts)


def test_what_the_kernels_cannot_read_is_refused_with_a_remedy() -> None:
    whole = random_w4a16(8, 64, 32, torch.float16)
    zero = PackedWeight(
        columns=64,
        packed=whole.packed,
        scale=whole.scale,
        zero_point=torch.zeros(1, 2, dtype=torch.int32),
    )
    with pytest.raises(CheckpointError, match=r"has zero points.*load this matrix expanded"):
        pack_w4a16(zero)
    wide = PackedWeight(columns=64, packed=whole.packed, scale=whole.scale.float())
    with pytest.raises(CheckpointError, match=r"scales of torch\.float32"):
        pack_w4a16(wide)
    with pytest.raises(CheckpointError, match="experts of 40 rows"):
        random_packed("Q4_0", 40, 64, matrices=2)


@pytest.mark.parametrize(
    ("magic", "bias", "dtype"),
    [
        (FLOAT16_MAGIC, FLOAT16_BIAS, torch.float16),
        (BFLOAT16_MAGIC, BFLOAT16_BIAS, torch.bfloat16),
    ],
)
def test_a_carrier_less_its_bias_is_the_integer(magic: int, bias: int, dtype: torch.dtype) -> None:
    """bfloat16 products cannot run in the interpreter; this is what differs in them."""
    low, high = magic & 0xFFFF, magic >> 16
    nibbles = torch.arange(16, dtype=torch.int16)
    for half in (low, high):
        assert torch.equal((nibbles | half).view(dtype) - bias, (nibbles - 8).to(dtype))


@pytest.mark.parametrize("name", ["Q4_0", "Q8_0", "W4A16/128"])
def test_an_expanded_matrix_is_rounded_once(name: str) -> None:
    """float16 of the float32 product, to the bit."""
    torch.manual_seed(3)
    packed = random_packed(name, 40, 256)
    assert torch.equal(expand(packed, torch.float16), packed.dequantize().half())
