"""What is encoded comes back close: never worse than the gguf package, and llama.cpp's own figures."""

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.errors import CheckpointError
from gemma4.quant import FORMATS, dequantize
from gemma4.quant.encode import ENCODERS, LARGEST, encode
from gemma4.quant.encode_w4a16 import encode_w4a16

OLD = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")  # those that the gguf package can write
# Root mean square error of `ggml_quantize_chunk` without importance matrix, llama.cpp of
# llama-cpp-python 0.3.36, on the weights of `weights()`.
LLAMA_CPP_RMS = {
    "Q4_0": 0.00798527,
    "Q4_1": 0.00663178,
    "Q5_0": 0.00397313,
    "Q5_1": 0.00324641,
    "Q8_0": 0.000500323,
    "Q4_K": 0.00614564,
    "Q5_K": 0.00313631,
    "Q6_K": 0.00158999,
}
STEPS = {"Q4_0": 16, "Q4_1": 15, "Q5_0": 32, "Q5_1": 31, "Q8_0": 254}
STEPS |= {"Q4_K": 15, "Q5_K": 31, "Q6_K": 63}


def weights(rows=64, columns=1024, seed=0):
    """Heavy-tailed, as trained weights are, each row of its own size; float32."""
    rng = np.random.default_rng(seed)
    return (rng.standard_t(5, (rows, columns)) * rng.uniform(0.01, 0.1, (rows, 1))).astype(
        np.float32
    )


def through(values, name, threads=1):
    """Encode and decode."""
    raw = encode(torch.from_numpy(values), FORMATS[name], name="w", threads=threads)
    return dequantize(raw, FORMATS[name]).numpy()


def block_errors(found, values, block):
    """Squared error of every block, in float64."""
    return ((found.astype(np.float64) - values) ** 2).reshape(-1, block).sum(axis=1)


def signed_numbers(blocks):
    """The whole numbers of Q4_0 blocks, turned round where the scale is negative."""
    numbers = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1).astype(int) - 8
    return numbers * np.sign(blocks[:, :2].copy().view(np.float16)).astype(int)


def rms(found, values):
    return float(np.sqrt(np.mean((found.astype(np.float64) - values) ** 2)))


@pytest.mark.parametrize("name", OLD)
def test_no_block_is_worse_than_that_of_the_gguf_package(name):
    values = weights()
    kind = GGMLQuantizationType[name]
    theirs = gguf.quants.dequantize(gguf.quants.quantize(values, kind), kind)
    ours = through(values, name)
    errors, limits = block_errors(ours, values, 32), block_errors(theirs, values, 32)
    assert np.all(errors <= limits * (1 + 1e-5))  # float32 sums of 32 squares


@pytest.mark.parametrize("name", ENCODERS)
def test_the_error_is_below_that_of_llama_cpp(name):
    values = weights()
    assert rms(through(values, name), values) < LLAMA_CPP_RMS[name]


@pytest.mark.parametrize("name", ENCODERS)
def test_a_weight_is_off_by_a_step_of_its_block_at_most(name):
    """A step: the block's span over the number of levels, plus the rounding of scales to 6 bits."""
    values = weights(seed=1)
    block = FORMATS[name].block_size
    off = np.abs(through(values, name) - values).reshape(-1, block)
    span = 2 * np.abs(values).reshape(-1, block).max(axis=1, keepdims=True)
    assert np.all(off <= 1.3 * span / STEPS[name])


@pytest.mark.parametrize("name", ENCODERS)
def test_what_the_format_can_say_comes_back_unchanged(name):
    """Weights decoded from a file of the format, such as those of quantization-aware training."""
    once = through(weights(seed=2), name)
    again = through(once, name)
    # float32; a K block may find another set of scales of the same quality.
    assert rms(again, once) <= (0.012 if name.endswith("_K") else 0.004) * np.abs(once).std()


def test_q4_0_weights_kept_in_bfloat16_get_their_numbers_back():
    """As the published "unquantized" checkpoints of quantization-aware training hold them."""
    format = FORMATS["Q4_0"]
    stored = encode(torch.from_numpy(weights(seed=7)), format, name="w")
    rounded = dequantize(stored, format).to(torch.bfloat16)
    again = encode(rounded, format, name="w")
    first, second = (signed_numbers(raw.reshape(-1, 18)) for raw in (stored, again))
    assert np.mean(first == second) > 0.9999


@pytest.mark.parametrize("name", ENCODERS)
def test_zeros_stay_zeros(name):
    assert not through(np.zeros((3, 512), np.float32), name).any()


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("size", [1e-38, 1e-8, 1e-4, 60_000.0])
def test_odd_sizes_neither_overflow_nor_warn(name, size):
    """Float32's smallest normal numbers, half precision's subnormal scales, and its largest."""
    values = (weights(rows=2, seed=3) / np.abs(weights(rows=2, seed=3)).max() * size).astype(
        np.float32
    )
    found = through(values, name)
    assert np.isfinite(found).all()
    assert rms(found, values) <= rms(np.zeros_like(values), values) * (1 + 1e-6)


@pytest.mark.parametrize("name", ENCODERS)
@given(drawn=st.lists(st.floats(-LARGEST, LARGEST, width=32), min_size=1, max_size=40))
@settings(max_examples=40, deadline=None)
def test_any_finite_weights_are_taken(name, drawn):
    values = np.resize(np.array(drawn, np.float32), (2, 256))
    found = through(values, name)
    assert np.isfinite(found).all()
    # float32; the error of zeros is what a block of nothing but zeros has.
    assert rms(found, values) <= rms(np.zeros_like(values), values) * (1 + 1e-6)


@pytest.mark.parametrize("name", ENCODERS)
def test_pieces_and_threads_make_no_difference(name):
    values = weights(rows=300, columns=768, seed=4)
    whole = encode(torch.from_numpy(values), FORMATS[name], name="w")
    assert np.array_equal(
        whole, encode(torch.from_numpy(values), FORMATS[name], name="w", threads=3)
    )
    for start in (0, 77, 299):
        part = encode(torch.from_numpy(values[start : start + 1]), FORMATS[name], name="w")
        assert np.array_equal(part[0], whole[start])  # bytes, exact


@pytest.mark.parametrize("name", ["F32", "F16", "BF16"])
def test_plain_numbers_are_rounded_as_torch_rounds(name):
    values = torch.from_numpy(weights(seed=5))
    raw = encode(values, FORMATS[name], name="w")
    stored = torch.from_numpy(raw).view(FORMATS[name].dtype)
    assert torch.equal(stored, values.to(FORMATS[name].dtype))  # exact


@pytest.mark.parametrize("name", [*ENCODERS, "F32", "F16", "BF16"])
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_an_error_that_names_the_tensor(name, wrong):
    values = torch.zeros(4, 256)
    values[2, 100] = wrong
    with pytest.raises(CheckpointError, match=r"tensor blk\.3 holds 1 values that are no numbers"):
        encode(values, FORMATS[name], name="blk.3")


@pytest.mark.parametrize("name", [*ENCODERS, "F16"])
def test_what_half_precision_cannot_hold_is_an_error(name):
    values = torch.full((1, 256), 1e6)
    with pytest.raises(CheckpointError, match=r"tensor w holds a value of magnitude 1e\+06, which"):
        encode(values, FORMATS[name], name="w")
    assert encode(values, FORMATS["BF16"], name="w").shape == (1, 512)


def test_bfloat16_rounding_to_infinity_is_an_error():
    values = torch.full((1, 2), torch.finfo(torch.float32).max)
    with pytest.raises(CheckpointError, match="which BF16 cannot hold"):
        encode(values, FORMATS["BF16"], name="w")


def test_w4a16_is_no_worse_than_the_plain_scale_and_keeps_scales_positive():
    values = weights(rows=40, columns=320, seed=6)
    packed = encode_w4a16(values)
    assert packed.packed.shape == (40, 40)
    assert packed.scale.shape == (40, 10)
    assert packed.scale.dtype is torch.bfloat16
    assert bool((packed.scale > 0).all())
    found = packed.dequantize().numpy()
    groups = values.reshape(-1, 32)
    scale = torch.from_numpy(np.abs(groups).max(axis=1, keepdims=True) / 7.5)
    scale = scale.to(torch.bfloat16).float().numpy()
    plain = np.clip(np.rint(groups / scale), -8, 7) * scale
    errors, limits = block_errors(found, values, 32), block_errors(plain, groups, 32)
    assert np.all(errors <= limits * (1 + 1e-5))  # float32 sums of 32 squares
    assert rms(found, values) < 0.97 * rms(plain.reshape(values.shape), values)
