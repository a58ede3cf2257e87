"""Whatever is done to a weight file, the reader answers or raises CheckpointError, quickly."""

import json
import struct
import time
import tracemalloc

import gguf
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save

from gemma4.errors import CheckpointError
from gemma4.weights.gguf.source import open_gguf_source
from gemma4.weights.huggingface.safetensors_files import open_safetensors

MAX_SECONDS = 2
MAX_BYTES = 16 << 20
FUZZ = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
ODD_NUMBERS = [0, 1, 2**31, 2**32 - 1, 2**60, 2**63, 2**64 - 1]

# A change: at a place (thousandths of the header), do something with a number.
changes = st.lists(
    st.tuples(
        st.integers(0, 1050),
        st.sampled_from(["byte", "word", "long", "cut", "insert", "repeat"]),
        st.one_of(st.sampled_from(ODD_NUMBERS), st.integers(0, 2**64 - 1)),
    ),
    min_size=1,
    max_size=4,
)


def mutate(content, steps, header_bytes):
    """Change a file; most places fall into its header, where it hurts."""
    content = bytearray(content)
    for thousandths, how, number in steps:
        place = min(thousandths * header_bytes // 1000, len(content))
        if how == "byte":
            content[place : place + 1] = bytes([number % 256])
        elif how == "word":
            content[place : place + 4] = struct.pack("<I", number % 2**32)
        elif how == "long":
            content[place : place + 8] = struct.pack("<Q", number)
        elif how == "cut":
            del content[place:]
        elif how == "insert":
            content[place:place] = bytes(number % 64)
        else:
            content[place:place] = content[place : place + number % 64]
    return bytes(content)


def read_everything(path, opened):
    """Open and read every tensor: success and CheckpointError are fine, in bounded time and room."""
    message = None
    tracemalloc.start()
    start = time.perf_counter()
    try:
        for tensor in opened(path).tensors.values():
            whole = tensor.read(torch.float32)
            if whole.ndim and len(whole):
                tensor.rows(torch.zeros(1, dtype=torch.int64))
    except CheckpointError as error:
        message = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    if message is not None:
        assert str(path) in message
        assert "\n" not in message
    assert time.perf_counter() - start < MAX_SECONDS
    assert peak < MAX_BYTES


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory):
    path = tmp_path_factory.mktemp("fuzz") / "model.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_block_count(2)
    writer.add_token_list(["<pad>", "a", "▁b"])
    writer.add_token_scores([0.0, 1.0, 2.0])
    writer.add_array("gemma4.attention.sliding_window_pattern", [True, False])
    writer.add_tensor("norm", np.ones(8, np.float32))
    blocks = np.ones((2, 34), np.uint8)
    writer.add_tensor("q", blocks, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


@FUZZ
@given(steps=changes)
def test_a_changed_gguf_is_read_or_refused(tmp_path, gguf_bytes, steps):
    path = tmp_path / "model.gguf"
    path.write_bytes(mutate(gguf_bytes, steps, header_bytes=len(gguf_bytes) - 128))
    read_everything(path, open_gguf_source)


@FUZZ
@given(content=st.binary(min_size=1, max_size=200), counts=st.tuples(*[st.integers(0, 3)] * 2))
def test_noise_after_a_good_gguf_start_is_read_or_refused(tmp_path, content, counts):
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, *counts) + content)
    read_everything(path, open_gguf_source)


@FUZZ
@given(steps=changes)
def test_a_changed_safetensors_file_is_read_or_refused(tmp_path, steps):
    tensors = {"a": torch.ones(3, 4), "b": torch.ones(2).to(torch.bfloat16)}
    content = save(tensors, metadata={"format": "pt"})
    path = tmp_path / "model.safetensors"
    changed = mutate(content, steps, header_bytes=len(content) - 52)
    path.write_bytes(changed or b"\0")
    read_everything(path, open_safetensors)


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
tensor_entries = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "BF16", "F8_E4M3", "F4", "BOOL", "X"]),
        "shape": st.lists(st.integers(-1, 5) | st.sampled_from(ODD_NUMBERS), max_size=3),
        "data_offsets": st.lists(st.integers(0, 40) | st.sampled_from(ODD_NUMBERS), max_size=3),
    }
)


@FUZZ
@given(
    header=st.dictionaries(st.text(max_size=3), json_values | tensor_entries, max_size=3),
    size=st.integers(0, 40),
)
def test_a_made_up_safetensors_header_is_read_or_refused(tmp_path, header, size):
    text = json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + bytes(size))
    read_everything(path, open_safetensors)


file_names = st.sampled_from(
    ["model.safetensors", "one.safetensors", "two.safetensors", "..", "x/y.safetensors", "a.bin"]
)


@FUZZ
@given(
    index=json_values
    | st.fixed_dictionaries({"weight_map": json_values})
    | st.fixed_dictionaries(
        {"weight_map": st.dictionaries(st.sampled_from("abc"), file_names, max_size=3)}
    )
)
def test_a_made_up_index_is_read_or_refused(tmp_path, index):
    (tmp_path / "one.safetensors").write_bytes(save({"a": torch.ones(2)}))
    (tmp_path / "two.safetensors").write_bytes(save({"b": torch.ones(2)}))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    read_everything(tmp_path, open_safetensors)
