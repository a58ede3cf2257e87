"""Every block format gives the numbers of the `gguf` package, bit for bit."""

import tracemalloc

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType

from gemma4.quant import FORMATS, dequantize

BLOCK_FORMATS = [format for format in FORMATS.values() if format.decode is not None]
BLOCK_NAMES = [format.name for format in BLOCK_FORMATS]


def random_bytes(format, rows, blocks_per_row, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, blocks_per_row * format.bytes_per_block), dtype=np.uint8)


def reference(raw, format):
    with np.errstate(invalid="ignore"):
        return gguf.quants.dequantize(raw, GGMLQuantizationType(format.ggml_id))


def assert_same_bits(ours, theirs):
    """Bits are equal; where both are NaN its payload may differ (it is the processor's choice)."""
    ours = ours.numpy()
    assert ours.shape == theirs.shape
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    numbers = ~np.isnan(ours)
    assert np.array_equal(ours[numbers].view(np.uint32), theirs[numbers].view(np.uint32))


def test_the_formats_read_are_those_promised():
    assert set(BLOCK_NAMES) == {
        *("Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "IQ4_NL"),
        *("Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K"),
    }


def test_ids_and_sizes_are_those_of_ggml():
    for format in FORMATS.values():
        if format.ggml_id is not None:
            assert GGMLQuantizationType(format.ggml_id).name == format.name
            sizes = gguf.GGML_QUANT_SIZES[GGMLQuantizationType(format.ggml_id)]
            assert sizes == (format.block_size, format.bytes_per_block)


@pytest.mark.parametrize("name", BLOCK_NAMES)
def test_random_bytes_decode_to_the_same_bits(name):
    """Random bytes hold every scale, NaN and infinity among them. float32, exact."""
    format = FORMATS[name]
    raw = random_bytes(format, rows=7, blocks_per_row=96)
    expected = reference(raw, format)
    assert np.isnan(expected).any()
    assert_same_bits(dequantize(raw, format), expected)


@pytest.mark.parametrize("name", BLOCK_NAMES)
@pytest.mark.parametrize("scale", [0x7C00, 0xFC00, 0x7E00, 0x0001, 0x8000])
def test_odd_scales_decode_to_the_same_bits(name, scale):
    """±inf, NaN, the smallest subnormal and −0 as every float16 of the block. float32, exact."""
    format = FORMATS[name]
    raw = random_bytes(format, rows=2, blocks_per_row=4, seed=scale)
    for byte in float16_places(format):
        raw.reshape(-1, format.bytes_per_block)[:, byte : byte + 2] = [scale & 255, scale >> 8]
    assert_same_bits(dequantize(raw, format), reference(raw, format))


def float16_places(format):
    """Where a block's float16 scales start."""
    places = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,)}
    both = {"Q4_1": (0, 2), "Q5_1": (0, 2), "Q4_K": (0, 2), "Q5_K": (0, 2)}
    return (places | both).get(format.name, (0,))


@pytest.mark.parametrize("name", ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_quantized_weights_come_back_close(name):
    """Weights quantized by the gguf package. float32: exact against it, a step from the source."""
    format = FORMATS[name]
    weights = np.random.default_rng(1).standard_normal((5, 32 * 40)).astype(np.float32)
    raw = gguf.quants.quantize(weights, GGMLQuantizationType(format.ggml_id))
    values = dequantize(raw, format)
    assert_same_bits(values, reference(raw, format))
    levels = {"Q8_0": 254, "Q4_0": 15, "Q4_1": 15, "Q5_0": 31, "Q5_1": 31}[name]
    step = 2 * np.abs(weights).max() / levels
    assert np.abs(values.numpy() - weights).max() <= step


@pytest.mark.parametrize("name", BLOCK_NAMES)
@pytest.mark.parametrize("blocks", [1, 255, 256, 257, 2047, 2048, 2049, 5000])
def test_the_pieces_join_without_a_seam(name, blocks):
    """Counts around the piece boundary give what one piece gives. float32, exact."""
    format = FORMATS[name]
    raw = random_bytes(format, rows=1, blocks_per_row=blocks, seed=blocks)
    assert_same_bits(dequantize(raw, format), reference(raw, format))


def test_other_types_are_rounded_from_float32():
    format = FORMATS["Q4_K"]
    weights = np.random.default_rng(2).integers(0, 120, (3, 144 * 2), dtype=np.uint8)
    exact = dequantize(weights, format)
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        assert torch.equal(dequantize(weights, format, dtype), exact.to(dtype))  # exact


def test_no_rows_give_no_rows():
    assert dequantize(np.empty((0, 34), np.uint8), FORMATS["Q8_0"]).shape == (0, 32)


@pytest.mark.parametrize("name", BLOCK_NAMES)
def test_memory_beyond_the_result_stays_small(name):
    """Eight million weights; numpy's own allocations, as the result is torch's."""
    format = FORMATS[name]
    raw = np.zeros((1024, format.row_bytes(8192)), dtype=np.uint8)
    tracemalloc.start()
    dequantize(raw, format, torch.bfloat16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20
