"""What is written, the gguf package reads as it was meant, and so does our own reader."""

import io

import gguf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemma4.errors import CheckpointError
from gemma4.quant import FORMATS
from gemma4.weights.gguf.file import open_gguf
from gemma4.weights.gguf.source import open_gguf_source
from gemma4.weights.gguf.writer import GgufTensor, gguf_bytes, write_gguf

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(width=32, allow_nan=False),
    st.text(max_size=20),
)
ARRAYS = st.one_of(
    st.lists(st.booleans(), max_size=5),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=5),
    st.lists(st.floats(width=32, allow_nan=False), max_size=5),
    st.lists(st.text(max_size=8), max_size=5),
)


def tensor(name, values, format="F32"):
    raw = np.ascontiguousarray(values).view(np.uint8).reshape(-1)
    half = len(raw) // 2
    return GgufTensor(
        name=name,
        shape=values.shape,
        format=FORMATS[format],
        pieces=lambda: iter((raw[:half], raw[half:])),
    )


def write(path, metadata, tensors=()):
    with path.open("wb") as file:
        write_gguf(file, metadata, tensors)
    return path


def test_tensors_are_where_the_gguf_package_looks_for_them(tmp_path):
    rng = np.random.default_rng(0)
    values = {name: rng.standard_normal((3, 5)).astype(np.float32) for name in ("a.weight", "b")}
    values["c"] = rng.standard_normal((2, 3, 7)).astype(np.float32)
    tensors = [tensor(name, array) for name, array in values.items()]
    path = write(tmp_path / "m.gguf", {"general.architecture": "gemma4"}, tensors)
    assert path.stat().st_size == gguf_bytes({"general.architecture": "gemma4"}, tensors)
    theirs = {t.name: t for t in gguf.GGUFReader(path).tensors}
    ours = open_gguf_source(path).tensors
    for name, array in values.items():
        assert theirs[name].data_offset % 32 == 0
        assert np.array_equal(theirs[name].data.reshape(array.shape), array)  # float32, exact
        assert np.array_equal(ours[name].read().numpy(), array)


def test_blocks_have_the_shape_of_their_numbers(tmp_path):
    values = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
    raw = gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q4_0)
    written = GgufTensor(
        name="w", shape=(4, 64), format=FORMATS["Q4_0"], pieces=lambda: iter((raw,))
    )
    path = write(tmp_path / "m.gguf", {"general.architecture": "x"}, [written])
    (found,) = gguf.GGUFReader(path).tensors
    assert found.tensor_type is gguf.GGMLQuantizationType.Q4_0
    assert list(found.shape) == [64, 4]
    assert np.array_equal(found.data, raw)


@pytest.mark.parametrize(
    ("value", "types"),
    [
        (7, ["UINT32"]),
        (-7, ["INT32"]),
        (2**40, ["INT64"]),
        (2**63, ["UINT64"]),
        (True, ["BOOL"]),
        (0.5, ["FLOAT32"]),
        (1e300, ["FLOAT64"]),
        ("häß", ["STRING"]),
        ([1, 2], ["ARRAY", "INT32"]),
        ([2**32 - 1], ["ARRAY", "UINT32"]),
        ([1, 0.5], ["ARRAY", "FLOAT32"]),
        ([True], ["ARRAY", "BOOL"]),
        (["a"], ["ARRAY", "STRING"]),
        ([], ["ARRAY", "STRING"]),
    ],
)
def test_values_have_the_types_that_llama_cpp_reads(value, types, tmp_path):
    path = write(tmp_path / "m.gguf", {"key": value})
    assert open_gguf(path).metadata["key"] == value
    if value != []:  # the package cannot read an empty array
        field = gguf.GGUFReader(path).fields["key"]
        assert [kind.name for kind in field.types] == types
        assert field.contents() == value


@given(metadata=st.dictionaries(st.text(min_size=1, max_size=12), SCALARS | ARRAYS, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_metadata_come_back(metadata, tmp_path_factory):
    path = write(tmp_path_factory.mktemp("any") / "m.gguf", metadata)
    assert open_gguf(path).metadata == metadata


def test_a_mixed_array_and_an_endless_number_are_refused():
    with pytest.raises(CheckpointError, match="'key' mixes int, str in one array"):
        write_gguf(io.BytesIO(), {"key": [1, "a"]}, ())
    with pytest.raises(CheckpointError, match="'key' has 18446744073709551616, which is beyond"):
        write_gguf(io.BytesIO(), {"key": 2**64}, ())
