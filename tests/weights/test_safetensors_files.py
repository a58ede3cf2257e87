"""Safetensors files and directories are read whole and strictly, without copies."""

import json
import os
import struct

import pytest
import torch
from safetensors.torch import save_file

from gemma4.errors import CheckpointError, ModelNotFoundError
from gemma4.weights.huggingface.safetensors_files import open_safetensors

TENSORS = {
    "a.weight": torch.randn(6, 4),
    "b.weight": torch.randn(3, 2).to(torch.bfloat16),
    "c.weight": torch.randn(5).to(torch.float16),
    "d.count": torch.tensor([1, -2, 3]),
    "e.scalar": torch.tensor(2.5),
    "f.mask": torch.tensor([True, False]),
    "g.empty": torch.empty(0, 3),
}


def write_raw(path, header, data=b""):
    text = header
    if not isinstance(header, bytes):
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path


@pytest.fixture
def single(tmp_path):
    save_file(TENSORS, tmp_path / "model.safetensors", metadata={"format": "pt"})
    return tmp_path


@pytest.fixture
def sharded(tmp_path):
    """Two shards: a and b, then the rest."""
    names = sorted(TENSORS)
    first, second = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    save_file({name: TENSORS[name] for name in names[:2]}, tmp_path / first)
    save_file({name: TENSORS[name] for name in names[2:]}, tmp_path / second)
    weight_map = {name: first if name in names[:2] else second for name in names}
    write_index(tmp_path, weight_map)
    return tmp_path


def write_index(directory, weight_map):
    content = {"metadata": {"total_size": 1}, "weight_map": weight_map}
    (directory / "model.safetensors.index.json").write_text(json.dumps(content))


def read_index(directory):
    return json.loads((directory / "model.safetensors.index.json").read_text())["weight_map"]


def refuse(path, *parts):
    with pytest.raises(CheckpointError) as caught:
        open_safetensors(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for part in parts:
        assert part in message, message


def assert_all_there(source):
    assert list(source.tensors) == sorted(TENSORS)
    for name, expected in TENSORS.items():
        stored = source.tensors[name]
        assert stored.shape == tuple(expected.shape)
        assert stored.nbytes == expected.nbytes
        assert stored.read().dtype == expected.dtype
        assert torch.equal(stored.read(), expected)  # exact


def test_a_directory_with_one_file_is_read(single):
    assert_all_there(open_safetensors(single))


def test_a_file_itself_is_read(single):
    assert_all_there(open_safetensors(single / "model.safetensors"))


def test_a_sharded_directory_is_read(sharded):
    assert_all_there(open_safetensors(sharded))


def test_an_index_may_name_the_single_file(single):
    write_index(single, dict.fromkeys(TENSORS, "model.safetensors"))
    assert_all_there(open_safetensors(single))


def test_encodings_dtypes_and_rows(single):
    tensors = open_safetensors(single).tensors
    assert [tensors[name].encoding for name in sorted(TENSORS)] == [
        *("F32", "BF16", "F16", "I64", "F32", "BOOL", "F32")
    ]
    assert torch.equal(tensors["b.weight"].read(torch.float32), TENSORS["b.weight"].float())
    rows = tensors["b.weight"].rows(torch.tensor([2, 0]), torch.float32)
    assert torch.equal(rows, TENSORS["b.weight"].float()[[2, 0]])  # exact


def test_reading_as_stored_copies_nothing(single):
    tensor = open_safetensors(single).tensors["a.weight"]
    assert tensor.read().data_ptr() == tensor.data.ctypes.data
    assert tensor.read(torch.float32).data_ptr() == tensor.data.ctypes.data
    before = (single / "model.safetensors").read_bytes()
    tensor.read().zero_()
    assert (single / "model.safetensors").read_bytes() == before


def test_a_misaligned_header_is_read_all_the_same(tmp_path):
    """Old writers did not pad the header. float32, exact."""
    values = torch.randn(4)
    entry = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    for padding in range(4):
        header = json.dumps({"a": entry}).encode() + b" " * padding
        path = write_raw(tmp_path / "old.safetensors", header, values.numpy().tobytes())
        tensor = open_safetensors(path).tensors["a"]
        assert torch.equal(tensor.read(), values)
        assert torch.equal(tensor.rows(torch.tensor([3])), values[3:])


def test_a_file_larger_than_memory_is_mapped(tmp_path):
    """Sparse, twice the machine's memory: only its address space is taken."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    rows = 2 * memory // 2048
    entry = {"dtype": "BF16", "shape": [rows, 1024], "data_offsets": [0, rows * 2048]}
    path = write_raw(tmp_path / "huge.safetensors", {"a": entry})
    os.truncate(path, path.stat().st_size + rows * 2048)
    tensor = open_safetensors(path).tensors["a"]
    assert tensor.read().shape == (rows, 1024)
    assert tensor.rows(torch.tensor([rows - 1])).sum() == 0


def test_a_directory_without_weights_says_what_it_has_instead(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    refuse(tmp_path, "has no weights: no model.safetensors", "its 1 files", "download")
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    refuse(tmp_path, "pickled weights only (pytorch_model.bin)", "save_pretrained")
    (tmp_path / "model-q4.gguf").write_bytes(b"x")
    refuse(tmp_path, f"give that file: {tmp_path / 'model-q4.gguf'}")
    (tmp_path / "adapter.safetensors").write_bytes(b"x")
    refuse(tmp_path, "but adapter.safetensors; give that file itself if it is the model")
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"x")
    refuse(tmp_path, "has 2 .safetensors files", "no model.safetensors.index.json")


def test_nothing_at_the_path_is_told(tmp_path):
    with pytest.raises(ModelNotFoundError, match=r"no file .*absent; check the path"):
        open_safetensors(tmp_path / "absent")


def test_missing_shards_are_all_named(sharded):
    for shard in sharded.glob("model-*.safetensors"):
        shard.unlink()
    refuse(
        sharded,
        "lacks 2 of 2 weight files: 'model-00001-of-00002.safetensors', "
        "'model-00002-of-00002.safetensors'; finish the download",
    )


def test_an_index_that_names_what_a_shard_lacks_is_refused(sharded):
    weight_map = read_index(sharded)
    write_index(sharded, weight_map | {"z.weight": weight_map["a.weight"]})
    refuse(sharded, "model-00001-of-00002.safetensors disagree: it lacks 1 ('z.weight')")


def test_a_tensor_in_two_shards_is_refused(sharded):
    first = sharded / "model-00001-of-00002.safetensors"
    names = ("a.weight", "b.weight", "c.weight")
    save_file({name: TENSORS[name] for name in names}, first)
    refuse(sharded, "it holds 1 that the index places elsewhere ('c.weight')")


def test_a_tensor_that_the_index_leaves_out_is_refused(sharded):
    weight_map = read_index(sharded)
    del weight_map["b.weight"]
    write_index(sharded, weight_map)
    refuse(sharded, "it holds 1 that the index places elsewhere ('b.weight')")


def test_an_index_and_a_file_that_contradict_are_refused(sharded):
    save_file(TENSORS, sharded / "model.safetensors")
    refuse(sharded, "has both model.safetensors and", "remove the one that is out of date")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"{", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "has no weight_map"),
        (b"{}", "has no weight_map"),
        (b'{"weight_map": {}}', "has no weight_map"),
        (b'{"weight_map": {"a": 3}}', "places 'a' in 3, which is not a plain file name"),
        (b'{"weight_map": {"a": "../x.safetensors"}}', "not a plain file name"),
        (b'{"weight_map": {"a": "/etc/x.safetensors"}}', "not a plain file name"),
        (b'{"weight_map": {"a": "model.bin"}}', "not a .safetensors file"),
        (b'{"weight_map": {"a": ".."}}', "not a .safetensors file"),
        (b'{"weight_map": {"a": "' + b"x" * 500 + b'.safetensors"}}', "finish the download"),
        (b'{"weight_map": {"a": "\\u0000.safetensors"}}', "finish the download"),
    ],
)
def test_a_damaged_index_is_refused(tmp_path, content, problem):
    (tmp_path / "model.safetensors.index.json").write_bytes(content)
    refuse(tmp_path, problem)


def entry(**changes):
    return {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} | changes


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        (b"", "invalid JSON in header"),
        (b"{", "invalid JSON in header"),
        (b"[1]", "invalid JSON in header"),
        (b"[" * 10_000, "invalid JSON in header"),
        (b'{"\xff": 1}', "invalid UTF-8 in header"),
        ({"a": entry(), "b": entry()}, "invalid offset for tensor"),
        ({"a": entry(data_offsets=[0, 32])}, "invalid shape, data type, or offset"),
        ({"a": entry(shape=[8], data_offsets=[0, 32])}, "file not fully covered"),
        ({"a": entry(shape=[2**40, 2**40])}, "overflow"),
        ({"a": entry(shape=[-4])}, "invalid JSON in header"),
        ({"a": entry(data_offsets=[16, 0])}, "invalid"),
        ({"a": entry(dtype="Q9")}, "unknown variant `Q9`"),
        ({"line\nbreak": entry(data_offsets=[4, 20])}, "invalid offset for tensor `line break`"),
        ({"a": entry(dtype="F8_E4M3", shape=[16])}, "has type F8_E4M3, read are F32"),
        (
            b'{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},'
            b'"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}',
            "the name 'a' appears twice",
        ),
    ],
)
def test_a_hostile_header_is_refused(tmp_path, header, problem):
    path = write_raw(tmp_path / "model.safetensors", header, bytes(16))
    refuse(path, problem)


def test_a_header_longer_than_the_file_is_refused(tmp_path):
    path = tmp_path / "model.safetensors"
    for length in (2**60, 2**64 - 1, 1_000_000):
        path.write_bytes(struct.pack("<Q", length) + b"{}")
        refuse(path, "is not a usable safetensors file of 10 bytes", "download it again")


def test_a_file_cut_anywhere_is_refused(single):
    path = single / "model.safetensors"
    whole = path.read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        refuse(path)
