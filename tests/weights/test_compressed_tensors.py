"""W4A16 weights unpack to the numbers they were packed from."""

import json

import pytest
import torch
from safetensors.torch import save_file

from gemma4.errors import CheckpointError, ConfigError, InputError
from gemma4.weights.huggingface.compressed_tensors import open_huggingface

GROUP = {
    "targets": ["Linear"],
    "weights": {
        "num_bits": 4,
        "type": "int",
        "symmetric": True,
        "strategy": "group",
        "group_size": 32,
        "dynamic": False,
        "actorder": None,
        "block_structure": None,
        "observer": "minmax",
        "observer_kwargs": {},
    },
    "input_activations": None,
    "output_activations": None,
}
CONFIG = {
    "quant_method": "compressed-tensors",
    "format": "pack-quantized",
    "quantization_status": "compressed",
    "global_compression_ratio": None,
    "kv_cache_scheme": None,
    "ignore": ["lm_head", "re:.*vision_tower.*"],
    "config_groups": {"group_0": GROUP},
}


def config(**weights):
    """The configuration with these keys of its one group's weights changed."""
    group = GROUP | {"weights": GROUP["weights"] | weights}
    return CONFIG | {"config_groups": {"group_0": group}}


def pack(values, dim=-1):
    """Pack −8 … 7 into int32, eight along `dim`, the first lowest, with 8 added."""
    values = values.transpose(dim, -1) + 8
    padded = torch.nn.functional.pad(values, (0, -values.shape[-1] % 8)).long()
    shifts = torch.arange(8) * 4
    words = (padded.unflatten(-1, (-1, 8)) << shifts).sum(-1)
    words = torch.where(words >= 2**31, words - 2**32, words)
    return words.to(torch.int32).transpose(dim, -1).contiguous()


def integers(*shape, seed=0):
    return torch.randint(-8, 8, shape, generator=torch.Generator().manual_seed(seed))


def scales(*shape, dtype=torch.bfloat16, seed=1):
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 0.1).to(dtype)


def parts(quantized, scale, **others):
    shape = torch.tensor(quantized.shape)
    return {"packed": pack(quantized), "scale": scale, "shape": shape} | others


@pytest.fixture
def write(tmp_path):
    """Write a checkpoint of one packed weight `layer.weight`, a plain head, and other tensors."""

    def write(packed, **others):
        tensors = {f"layer.weight_{part}": tensor for part, tensor in packed.items()}
        tensors |= {"lm_head.weight": torch.ones(2, 2, dtype=torch.bfloat16)} | others
        save_file(tensors, tmp_path / "model.safetensors")
        return tmp_path

    return write


def open_weight(path, quantization_config=CONFIG):
    return open_huggingface(path, quantization_config).tensors["layer.weight"]


def assert_values(stored, expected):
    """float32 and its bfloat16 rounding, whole and by rows: exact."""
    assert stored.shape == tuple(expected.shape)
    assert torch.equal(stored.read(), expected)
    assert torch.equal(stored.read(torch.bfloat16), expected.to(torch.bfloat16))
    index = torch.tensor([[len(expected) - 1, 0, 1]])
    assert torch.equal(stored.rows(index), expected[index])
    assert torch.equal(stored.rows(index[0], torch.bfloat16), expected[index[0]].bfloat16())


def test_words_hold_the_first_weight_lowest_with_eight_added():
    """By hand: −8, −7 … −1 are the nibbles 0 … 7; 0 … 7 are 8 … 15."""
    values = torch.arange(-8, 8).view(1, 16)
    assert [hex(word % 2**32) for word in pack(values)[0].tolist()] == ["0x76543210", "0xfedcba98"]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("group_size", [32, 128])
def test_groups_are_scaled(write, dtype, group_size):
    quantized, scale = integers(24, 256), scales(24, 256 // group_size, dtype=dtype)
    stored = open_weight(write(parts(quantized, scale)), config(group_size=group_size))
    assert stored.encoding == "W4A16"
    assert stored.nbytes == 24 * 128 + scale.nbytes + 16
    assert_values(stored, quantized * scale.float().repeat_interleave(group_size, 1))


def test_bfloat16_is_what_a_bfloat16_product_gives(write):
    """The reference implementation multiplies in the type of the scale; exact."""
    quantized, scale = integers(16, 64), scales(16, 2)
    expected = quantized.to(torch.bfloat16) * scale.repeat_interleave(32, 1)
    assert torch.equal(open_weight(write(parts(quantized, scale))).read(torch.bfloat16), expected)


def test_a_channel_has_one_scale(write):
    quantized, scale = integers(5, 64), scales(5, 1)
    channel = config(strategy="channel", group_size=None)
    assert_values(open_weight(write(parts(quantized, scale)), channel), quantized * scale.float())


def test_columns_need_not_fill_the_last_word(write):
    quantized, scale = integers(5, 20), scales(5, 1)
    channel = config(strategy="channel", group_size=-1)
    assert_values(open_weight(write(parts(quantized, scale)), channel), quantized * scale.float())


def test_zero_points_are_packed_along_the_rows(write):
    for rows in (8, 13):
        quantized, scale, zero = integers(rows, 64), scales(rows, 2), integers(rows, 2, seed=5)
        packed = parts(quantized, scale, zero_point=pack(zero, dim=0))
        shifted = quantized - zero.repeat_interleave(32, 1)
        expected = shifted * scale.float().repeat_interleave(32, 1)
        assert_values(open_weight(write(packed), config(symmetric=False)), expected)


def test_columns_may_name_their_groups(write):
    quantized, scale = integers(8, 64), scales(8, 2)
    order = (torch.randperm(64, generator=torch.Generator().manual_seed(3)) % 2).to(torch.int32)
    stored = open_weight(write(parts(quantized, scale, g_idx=order)), config(actorder="group"))
    assert_values(stored, quantized * scale.float()[:, order])


def test_an_order_that_was_never_computed_is_none(write):
    quantized, scale = integers(8, 64), scales(8, 2)
    stored = open_weight(write(parts(quantized, scale, g_idx=torch.full((64,), -1))))
    assert_values(stored, quantized * scale.float().repeat_interleave(32, 1))


def test_experts_are_packed_as_one(write):
    quantized, scale = integers(3, 16, 64), scales(3, 16, 2)
    stored = open_weight(write(parts(quantized, scale)))
    assert_values(stored, quantized * scale.float().repeat_interleave(32, 2))


def test_large_weights_unpack_in_pieces(write):
    """More than one piece of a million. float32, exact."""
    quantized, scale = integers(2100, 512), scales(2100, 16)
    expected = quantized * scale.float().repeat_interleave(32, 1)
    assert torch.equal(open_weight(write(parts(quantized, scale))).read(), expected)


def test_plain_tensors_stay_as_they_are(write):
    source = open_huggingface(write(parts(integers(8, 64), scales(8, 2))), CONFIG)
    assert list(source.tensors) == ["layer.weight", "lm_head.weight"]
    assert source.tensors["lm_head.weight"].encoding == "BF16"


def test_packed_bytes_are_not_copied(write):
    path = write(parts(integers(8, 64), scales(8, 2)))
    source = open_huggingface(path, CONFIG)
    weight = source.tensors["layer.weight"].weight
    assert weight.packed.shape == (8, 8)
    assert weight.packed.dtype == torch.int32
    whole_file = source.tensors["lm_head.weight"].data.base
    start = whole_file.ctypes.data
    assert start < weight.packed.data_ptr() < start + whole_file.size
    assert start < weight.scale.data_ptr() < start + whole_file.size


def test_a_row_that_does_not_exist_is_refused(write):
    stored = open_weight(write(parts(integers(8, 64), scales(8, 2))))
    with pytest.raises(InputError, match=r"row 8 of layer\.weight does not exist: it has 8 rows"):
        stored.rows(torch.tensor([0, 8]))


def test_a_plain_checkpoint_needs_no_configuration(tmp_path):
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    assert list(open_huggingface(tmp_path, None).tensors) == ["a"]


def test_packed_weights_without_configuration_are_refused(write):
    path = write(parts(integers(8, 64), scales(8, 2)))
    with pytest.raises(ConfigError, match=r"1 packed weights \(layer\.weight_packed, …\) but its"):
        open_huggingface(path, None)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"quant_method": "bitsandbytes"}, "quant_method is 'bitsandbytes'"),
        ({"quant_method": None}, "quant_method is None"),
        ({"format": "nvfp4-pack-quantized"}, "format is 'nvfp4-pack-quantized'"),
        ({"format": "float-quantized"}, "format is 'float-quantized'"),
        ({"format": "mixed-precision"}, "format is 'mixed-precision'"),
        ({"kv_cache_scheme": {"num_bits": 8}}, "kv_cache_scheme is set"),
        ({"sparsity_config": {"format": "sparse-24"}}, "sparsity_config is set"),
        ({"transform_config": {"config_groups": {}}}, "transform_config is set"),
        ({"quantization_status": "frozen"}, "quantization_status is 'frozen'"),
        ({"surprise": 1}, "quantization_config has the unknown key 'surprise'"),
        ({"config_groups": {}}, "config_groups holds no group"),
        ({"config_groups": {"W4A16": ["Linear"]}}, "config_groups.W4A16 is ['Linear']"),
        ({"config_groups": {"g": GROUP | {"weights": None}}}, "config_groups.g has no weights"),
        ({"config_groups": {"g": GROUP | {"x": 1}}}, "config_groups.g has the unknown key 'x'"),
        ({"config_groups": {"g": GROUP | {"format": "dense"}}}, "config_groups.g is 'dense'"),
        (
            {"config_groups": {"g": GROUP | {"input_activations": {"num_bits": 8}}}},
            "config_groups.g quantizes input_activations",
        ),
        (config(num_bits=8), "weights.num_bits is 8"),
        (config(type="float"), "weights.type is 'float'"),
        (config(dynamic=True), "weights.dynamic is True"),
        (config(symmetric="yes"), "weights.symmetric is 'yes'"),
        (config(actorder="odd"), "weights.actorder is 'odd'"),
        (config(strategy="tensor"), "has strategy 'tensor' with group_size 32"),
        (config(group_size=0), "has strategy 'group' with group_size 0"),
        (config(group_size="32"), "has strategy 'group' with group_size '32'"),
        (config(bits=4), "weights has the unknown key 'bits'"),
    ],
)
def test_other_ways_of_quantizing_are_refused_by_name(write, changes, problem):
    path = write(parts(integers(8, 64), scales(8, 2)))
    with pytest.raises(ConfigError) as caught:
        open_huggingface(path, CONFIG | changes)
    message = str(caught.value)
    assert problem in message, message
    assert "supported is compressed-tensors pack-quantized with 4-bit integer" in message
    assert "\n" not in message


GOOD = parts(integers(8, 64), scales(8, 2))


@pytest.mark.parametrize(
    ("changes", "quantization", "problem"),
    [
        ({"scale": None}, CONFIG, "layer.weight has no _scale"),
        ({"shape": None}, CONFIG, "layer.weight has no usable _shape"),
        ({"shape": torch.tensor([8, 64, 1, 1])}, CONFIG, "no usable _shape"),
        ({"shape": torch.tensor([8.0, 64.0])}, CONFIG, "no usable _shape"),
        ({"shape": torch.tensor([8, -64])}, CONFIG, "impossible shape [8, -64]"),
        ({"shape": torch.tensor([8, 2**62])}, CONFIG, "_packed of I32 [8, 8], expected I32 [8, "),
        ({"shape": torch.tensor([9, 64])}, CONFIG, "_packed of I32 [8, 8], expected I32 [9, 8]"),
        ({"packed": GOOD["packed"].long()}, CONFIG, "_packed of I64 [8, 8], expected I32 [8, 8]"),
        ({"scale": scales(8, 3)}, CONFIG, "has 3 scales a row for [8, 64]"),
        ({"scale": torch.ones(8, 2).long()}, CONFIG, "expected BF16 or F16 or F32 [8, 2]"),
        ({"scale": scales(7, 2)}, CONFIG, "_scale of BF16 [7, 2]"),
        ({"scale": scales(8, 4)}, CONFIG, "which config.json does not list"),
        ({}, config(symmetric=False), "which config.json does not list"),
        ({}, config(actorder="group"), "which config.json does not list"),
        ({"zero_point": pack(integers(8, 2), 0)}, CONFIG, "which config.json does not list"),
        ({"zero_point": integers(8, 2).to(torch.int32)}, CONFIG, "_zero_point of I32 [8, 2]"),
        ({"g_idx": torch.full((64,), 2)}, CONFIG, "has a _g_idx outside its 2 groups"),
        ({"g_idx": torch.zeros(63).long()}, CONFIG, "has a _g_idx of I64 [63]"),
    ],
)
def test_parts_that_do_not_fit_are_refused(write, changes, quantization, problem):
    packed = {part: tensor for part, tensor in (GOOD | changes).items() if tensor is not None}
    with pytest.raises(CheckpointError) as caught:
        open_huggingface(write(packed), quantization)
    assert problem in str(caught.value), caught.value
    assert "layer.weight" in str(caught.value)


def test_parts_left_over_are_refused(write):
    others = {"other.weight_scale": torch.ones(2), "other.weight_shape": torch.ones(2)}
    with pytest.raises(CheckpointError, match=r"other\.weight_scale is one of 2 parts without"):
        open_huggingface(write(GOOD, **others), CONFIG)


def test_a_weight_both_packed_and_plain_is_refused(write):
    with pytest.raises(CheckpointError, match=r"layer\.weight is stored both packed and plain"):
        open_huggingface(write(GOOD, **{"layer.weight": torch.ones(2)}), CONFIG)


def test_a_configuration_without_packed_weights_is_refused(write):
    with pytest.raises(CheckpointError, match="says the weights are packed, but no tensor ends"):
        open_huggingface(write({}), CONFIG)


def test_a_configuration_from_json_reads_alike(write):
    stored = open_weight(write(GOOD), json.loads(json.dumps(CONFIG)))
    assert stored.shape == (8, 64)
