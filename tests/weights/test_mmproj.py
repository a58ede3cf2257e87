"""The layouts of llama.cpp's projector files: each way undoes the other, and means the same."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from stored_tensors import TensorInMemory, source_of

from gemma4.config import (
    AudioConfig,
    ModelConfig,
    UnifiedAudioConfig,
    UnifiedVisionConfig,
    VisionConfig,
)
from gemma4.config.published import PUBLISHED_MODELS
from gemma4.errors import CheckpointError
from gemma4.tensors.entry import Layout
from gemma4.tensors.table import tensor_table
from gemma4.weights.gguf.mmproj import from_gguf, gguf_shape, to_gguf
from gemma4.weights.gguf.names import model_source, to_gguf_tensors

TEXT = PUBLISHED_MODELS["31b"].text
TOWERS = ModelConfig(
    family="gemma4",
    text=TEXT,
    vision=VisionConfig(
        hidden_size=24,
        intermediate_size=32,
        num_layers=2,
        num_heads=2,
        num_kv_heads=2,
        head_dim=12,
        patch_size=4,
        position_embedding_size=9,
        clips_linears=True,
        standardizes=True,
    ),
    audio=AudioConfig(hidden_size=32, num_layers=2, num_heads=4, output_size=20),
)
UNIFIED = ModelConfig(
    family="gemma4_unified",
    text=TEXT,
    vision=UnifiedVisionConfig(
        hidden_size=24, position_embedding_size=10, output_size=24, patch_size=2
    ),
    audio=UnifiedAudioConfig(samples_per_token=16),
)


def media_entries(config):
    return [e for e in tensor_table(config) if not e.name.startswith("model.language_model.")]


def entry_of(config, ending):
    return next(entry for entry in media_entries(config) if entry.name.endswith(ending))


@pytest.mark.parametrize("config", [TOWERS, UNIFIED], ids=["towers", "unified"])
def test_every_media_tensor_goes_to_gguf_and_back(config):
    entries = media_entries(config)
    generator = torch.Generator().manual_seed(3)
    values = {entry.name: torch.randn(entry.shape, generator=generator) for entry in entries}
    stored = {}
    for entry, name, tensor in to_gguf_tensors(entries, values):
        assert tuple(tensor.shape) == gguf_shape(entry)
        stored[name] = tensor
    assert all(tensor.ndim > 0 for tensor in stored.values())  # GGUF has no 0-d tensors
    source = model_source(source_of(stored), config)
    assert source.tensors.keys() == values.keys()
    for entry in entries:
        found = source.tensors[entry.name]
        assert found.shape == entry.shape
        if entry.layout is Layout.SOFTPLUS:
            # float32; softplus and its inverse round once each.
            torch.testing.assert_close(found.read(), values[entry.name], rtol=1e-5, atol=1e-6)
        else:
            assert torch.equal(found.read(), values[entry.name]), entry.name  # float32, exact


@given(st.floats(min_value=-60, max_value=1e4, width=32))
@settings(max_examples=200, deadline=None)
def test_softplus_is_undone_far_from_zero_too(value):
    entry = entry_of(TOWERS, "per_dim_scale")
    values = torch.full(entry.shape, value)
    stored = TensorInMemory("a.blk.0.per_dim_scale.weight", to_gguf(entry, values))
    # float32: near softplus(w) ≈ 0 the relative error of w is that of e^w, an absolute error in w.
    torch.testing.assert_close(
        from_gguf(entry, stored).read(torch.float32), values, rtol=1e-5, atol=1e-5
    )


def test_a_softplus_that_is_not_positive_is_refused():
    entry = entry_of(TOWERS, "per_dim_scale")
    stored = TensorInMemory("a.blk.0.per_dim_scale.weight", torch.zeros(entry.shape))
    with pytest.raises(CheckpointError, match=r"per_dim_scale\.weight holds 0, but a softplus is"):
        from_gguf(entry, stored).read()


def test_the_patch_embedding_is_the_same_map_as_a_convolution():
    """What llama.cpp does with the stored kernel equals what we do with the matrix."""
    entry = entry_of(TOWERS, "patch_embedder.input_proj.weight")
    weight = torch.randn(entry.shape, dtype=torch.float64)
    image = torch.randn(8, 12, 3, dtype=torch.float64)  # rows, columns, channels
    patches = image.unfold(0, 4, 4).unfold(1, 4, 4)  # [2, 3, channel, row, column]
    patches = patches.permute(0, 1, 3, 4, 2).reshape(6, 48)
    convolved = F.conv2d(image.permute(2, 0, 1)[None], to_gguf(entry, weight), stride=4)[0]
    expected = convolved.flatten(1).T
    torch.testing.assert_close(patches @ weight.T, expected, rtol=1e-12, atol=1e-12)  # float64


def test_the_12b_patch_columns_are_those_of_an_image_in_planes():
    """llama.cpp unfolds planes (RR… GG… BB…), then norms and multiplies."""
    dense, norm = entry_of(UNIFIED, "patch_dense.weight"), entry_of(UNIFIED, "patch_ln1.weight")
    weight = torch.randn(dense.shape, dtype=torch.float64)
    scale = torch.randn(norm.shape, dtype=torch.float64)
    patch = torch.randn(6, 6, 3, dtype=torch.float64)  # rows, columns, channels
    planes = patch.permute(2, 0, 1).flatten()
    stored = (planes * to_gguf(norm, scale)) @ to_gguf(dense, weight).T
    ours = (patch.flatten() * scale) @ weight.T
    torch.testing.assert_close(stored, ours, rtol=1e-12, atol=1e-12)  # float64


def test_position_tables_have_the_axis_first_in_the_file():
    entry = entry_of(UNIFIED, "pos_embedding")
    values = torch.randn(entry.shape)
    assert torch.equal(to_gguf(entry, values)[1], values[:, 1])  # float32, exact


def test_the_norms_of_the_light_convolution_name_each_other():
    """llama.cpp's `conv_norm` is the norm before the convolution, its `norm_conv` the one after."""
    path = "audio_tower.layers.0.lconv1d."
    assert entry_of(TOWERS, f"{path}pre_layer_norm.weight").gguf_name == "a.blk.0.conv_norm.weight"
    assert entry_of(TOWERS, f"{path}conv_norm.weight").gguf_name == "a.blk.0.norm_conv.weight"


def test_rows_of_a_converted_tensor_are_rows_of_the_result():
    entry = entry_of(UNIFIED, "pos_embedding")
    values = torch.randn(entry.shape)
    found = from_gguf(entry, TensorInMemory("v.position_embd.weight", to_gguf(entry, values)))
    index = torch.tensor([3, 1])
    assert torch.equal(found.rows(index), values[index])  # float32, exact


def test_a_wrong_shape_is_handed_on_for_the_loader_to_name():
    entry = entry_of(TOWERS, "depthwise_conv1d.weight")
    stored = TensorInMemory("a.blk.0.conv_dw.weight", torch.zeros(3, 3))
    assert from_gguf(entry, stored) is stored


def test_a_layout_that_cannot_be_told_is_refused():
    entry = entry_of(TOWERS, "patch_embedder.input_proj.weight")
    stored = TensorInMemory("v.patch_embd.weight", torch.zeros(entry.shape))
    with pytest.raises(
        CheckpointError, match=r"shape \[24, 48\] where llama.cpp writes \[24, 3, 4"
    ):
        from_gguf(entry, stored)


def test_a_value_that_llama_cpp_would_store_as_one_number_may_be_0d():
    entry = entry_of(TOWERS, "input_max")
    stored = TensorInMemory("v.blk.0.attn_q.input_max", torch.tensor(2.0))
    assert from_gguf(entry, stored).shape == ()
