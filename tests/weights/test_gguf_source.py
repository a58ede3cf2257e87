"""Tensors come out of a GGUF file whole or by rows, and plain ones without a copy."""

import gguf
import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType

from gemma4.errors import InputError
from gemma4.quant import FORMATS
from gemma4.weights.gguf.source import open_gguf_source


@pytest.fixture
def source(tmp_path):
    """One tensor of each kind: named by its format, [6, 512], and 1-D and 3-D ones."""
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_block_count(3)
    rng = np.random.default_rng(0)
    writer.add_tensor("norm", rng.standard_normal(7).astype(np.float32))
    writer.add_tensor("F32", rng.standard_normal((6, 512)).astype(np.float32))
    writer.add_tensor("F16", rng.standard_normal((6, 512)).astype(np.float16))
    for format in FORMATS.values():
        if format.ggml_id is not None and format.name not in ("F32", "F16"):
            kind = GGMLQuantizationType(format.ggml_id)
            raw = rng.integers(0, 100, (6, format.row_bytes(512)), dtype=np.uint8)
            writer.add_tensor(format.name, raw, raw_dtype=kind)
    experts = rng.integers(0, 100, (4, 3, 34), dtype=np.uint8)
    writer.add_tensor("experts", experts, raw_dtype=GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return open_gguf_source(path)


FLOATS = [
    format.name
    for format in FORMATS.values()
    if format.ggml_id is not None and (format.dtype is None or format.dtype.is_floating_point)
]


def reference(source, name):
    tensor = next(t for t in gguf.GGUFReader(source.path).tensors if t.name == name)
    if tensor.tensor_type == GGMLQuantizationType.F64:
        return torch.from_numpy(np.array(tensor.data))
    return torch.from_numpy(np.array(gguf.quants.dequantize(tensor.data, tensor.tensor_type)))


def test_metadata_and_descriptions_need_no_reading(source):
    assert source.metadata["gemma4.block_count"] == 3
    assert source.tensors["Q4_K"].encoding == "Q4_K"
    assert source.tensors["Q4_K"].shape == (6, 512)
    assert source.tensors["Q4_K"].nbytes == 6 * 2 * 144
    assert source.tensors["experts"].shape == (4, 3, 32)
    assert source.tensors["norm"].shape == (7,)


@pytest.mark.parametrize("name", FLOATS)
def test_read_gives_the_values_of_the_gguf_package(source, name):
    """float32, exact."""
    assert torch.equal(source.tensors[name].read(torch.float32), reference(source, name).float())


@pytest.mark.parametrize("name", FLOATS)
def test_rows_are_rows_of_the_whole(source, name):
    """In the asked shape, repeats and order kept; float32, bfloat16 and as stored, exact."""
    tensor = source.tensors[name]
    index = torch.tensor([[5, 0, 0], [3, 5, 1]])
    for dtype in (torch.float32, torch.bfloat16, None):
        rows = tensor.rows(index, dtype)
        assert rows.shape == (2, 3, 512)
        assert torch.equal(rows, tensor.read(dtype)[index])


def test_rows_of_experts_and_of_vectors(source):
    """float32, exact."""
    for name in ("experts", "norm"):
        tensor = source.tensors[name]
        index = torch.tensor([2, 0], dtype=torch.int32)
        assert torch.equal(tensor.rows(index), tensor.read()[index.long()])
        assert tensor.rows(index[:0]).shape == (0, *tensor.shape[1:])


@pytest.mark.parametrize("row", [-1, 6, 2**40])
@pytest.mark.parametrize("name", ["F16", "Q4_K"])
def test_a_row_that_does_not_exist_is_refused(source, name, row):
    with pytest.raises(InputError, match=rf"row {row} of {name} does not exist: it has 6 rows"):
        source.tensors[name].rows(torch.tensor([0, row]))


def test_none_means_as_stored_or_float32_from_blocks(source):
    expected = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    for name, dtype in (expected | {"Q8_0": torch.float32, "I64": torch.int64}).items():
        assert source.tensors[name].read().dtype == dtype


@pytest.mark.parametrize("name", ["F32", "F16", "BF16", "I64"])
def test_plain_tensors_are_views_of_the_map(source, name):
    tensor = source.tensors[name]
    address = tensor.data.ctypes.data
    assert tensor.read().data_ptr() == address
    assert tensor.read(tensor.format.dtype).data_ptr() == address


def test_writing_to_a_view_leaves_the_file_alone(source):
    before = source.path.read_bytes()
    source.tensors["F32"].read().fill_(3)
    assert source.path.read_bytes() == before


def test_raw_bytes_are_rows_without_a_copy(source):
    tensor = source.tensors["Q4_K"]
    assert tensor.raw.shape == (6, 2 * 144)
    assert tensor.raw.ctypes.data == tensor.data.ctypes.data
    assert source.tensors["experts"].raw.shape == (12, 34)
    assert source.tensors["norm"].raw.shape == (1, 28)


def test_tensors_outlive_their_source(source):
    values = source.tensors["F32"].read()
    expected = values.clone()
    path = source.path
    del source
    path.unlink()
    assert torch.equal(values, expected)
