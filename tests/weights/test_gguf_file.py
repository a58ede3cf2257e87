"""The GGUF reader agrees with the `gguf` package, and says what is wrong with a bad file."""

import struct
import time

import gguf
import numpy as np
import pytest

from gemma4.errors import CheckpointError, ModelNotFoundError
from gemma4.weights.gguf import metadata
from gemma4.weights.gguf.file import open_gguf

UINT32, STRING, ARRAY = 4, 8, 9


def packed(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, kind, value):
    return packed(key) + struct.pack("<I", kind) + value


def info(name, dims=(4,), kind=0, offset=0, num_dims=None):
    return (
        packed(name)
        + struct.pack("<I", len(dims) if num_dims is None else num_dims)
        + struct.pack(f"<{len(dims)}Q", *dims)
        + struct.pack("<IQ", kind, offset)
    )


def build(entries=(), infos=(), data=b"\0" * 64, *, version=3, counts=None, align=32):
    """A GGUF file from its parts, right or wrong."""
    num_infos, num_entries = counts or (len(infos), len(entries))
    head = b"GGUF" + struct.pack("<IQQ", version, num_infos, num_entries)
    head += b"".join(entries) + b"".join(infos)
    return head + b"\0" * (-len(head) % align) + data


@pytest.fixture
def write(tmp_path):
    def write(content, name="model.gguf"):
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return write


def refuse(path, *parts):
    with pytest.raises(CheckpointError) as caught:
        open_gguf(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    for part in parts:
        assert part in message, message


@pytest.mark.parametrize("version", [2, 3])
def test_every_metadata_type_is_read(write, version):
    scalars = [
        (0, "<B", 255),
        (1, "<b", -128),
        (2, "<H", 65535),
        (3, "<h", -3),
        (4, "<I", 2**32 - 1),
        (5, "<i", -(2**31)),
        (6, "<f", 0.5),
        (7, "<B", 1),
        (10, "<Q", 2**64 - 1),
        (11, "<q", -(2**63)),
        (12, "<d", 1e300),
    ]
    entries = [entry(f"k{kind}", kind, struct.pack(form, v)) for kind, form, v in scalars]
    entries += [
        entry(f"a{kind}", ARRAY, struct.pack("<IQ", kind, 2) + struct.pack(form, v) * 2)
        for kind, form, v in scalars
    ]
    entries.append(entry("text", STRING, packed("▁héllo\n")))
    entries.append(entry("texts", ARRAY, struct.pack("<IQ", STRING, 2) + packed("") + packed("ä")))
    inner = struct.pack("<IQ", UINT32, 1) + struct.pack("<I", 7)
    entries.append(entry("nested", ARRAY, struct.pack("<IQ", ARRAY, 2) + inner * 2))
    file = open_gguf(write(build(entries, version=version)))
    assert file.version == version
    for kind, _, value in scalars:
        assert file.metadata[f"k{kind}"] == value
        assert file.metadata[f"a{kind}"] == [value, value]
    assert file.metadata["k7"] is True
    assert file.metadata["text"] == "▁héllo\n"
    assert file.metadata["texts"] == ["", "ä"]
    assert file.metadata["nested"] == [[7], [7]]


def test_a_file_of_the_gguf_package_reads_alike(tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "gemma4")
    writer.add_custom_alignment(64)
    writer.add_context_length(131072)
    writer.add_array("gemma4.attention.sliding_window_pattern", [True, False, True])
    rng = np.random.default_rng(0)
    tensors = {
        "a": rng.standard_normal((3, 64)).astype(np.float32),
        "b": rng.standard_normal((2, 3, 32)).astype(np.float16),
        "c": rng.standard_normal(5).astype(np.float32),
    }
    for name, tensor in tensors.items():
        writer.add_tensor(name, tensor)
    quantized = gguf.quants.quantize(tensors["a"], gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("d", quantized, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    file = open_gguf(path)
    assert file.metadata["general.architecture"] == "gemma4"
    assert file.metadata["gemma4.context_length"] == 131072
    assert file.metadata["gemma4.attention.sliding_window_pattern"] == [True, False, True]
    assert list(file.tensors) == ["a", "b", "c", "d"]
    for theirs in gguf.GGUFReader(path).tensors:
        ours = file.tensors[theirs.name]
        assert ours.shape == tuple(reversed(theirs.shape.tolist()))
        assert ours.format.name == theirs.tensor_type.name
        assert ours.start == theirs.data_offset
        assert ours.stop - ours.start == theirs.n_bytes


def test_a_vocabulary_of_262144_tokens_reads_in_under_a_second(write):
    tokens = struct.pack("<IQ", STRING, 262_144) + b"".join(
        packed(f"▁token{number}") for number in range(262_144)
    )
    merges = struct.pack("<IQ", STRING, 514_906) + packed("▁to ken") * 514_906
    scores = struct.pack("<IQ", 6, 262_144) + bytes(4 * 262_144)
    entries = [entry("t", ARRAY, tokens), entry("m", ARRAY, merges), entry("s", ARRAY, scores)]
    path = write(build(entries))
    start = time.process_time()
    file = open_gguf(path)
    assert time.process_time() - start < 1
    assert file.metadata["t"][262_143] == "▁token262143"
    assert len(file.metadata["m"]) == 514_906


def test_a_file_without_tensors_needs_no_padding(write):
    content = build([entry("k", UINT32, struct.pack("<I", 1))], data=b"")
    assert open_gguf(write(content.rstrip(b"\0") + b"\0\0\0")).tensors == {}


def test_missing_empty_and_directory_are_told_apart(tmp_path, write):
    with pytest.raises(ModelNotFoundError, match=r"no file .*nothing\.gguf; check the path"):
        open_gguf(tmp_path / "nothing.gguf")
    refuse(write(b""), "is empty (0 bytes); download it again")
    refuse(tmp_path, "is a directory, not a weight file")


def test_other_files_versions_and_byte_orders_are_named(write):
    refuse(write(b"PK\x03\x04" + bytes(60)), "starts with b'PK\\x03\\x04'", "give a .gguf file")
    refuse(write(build(version=1)), "GGUF version 1, read are 2 and 3", "convert the model again")
    refuse(write(build(version=0)), "GGUF version 0")
    refuse(write(build(version=4)), "GGUF version 4")
    big = b"GGUF" + struct.pack(">IQQ", 3, 0, 0)
    refuse(write(big), "big-endian", "gguf_convert_endian")
    refuse(write(b"FUGG" + bytes(60)), "big-endian")


@pytest.mark.parametrize("counts", [(2**60, 0), (0, 2**60), (70_000, 0), (0, 2**64 - 1), (9, 0)])
def test_absurd_counts_are_refused(write, counts):
    refuse(write(build(counts=counts)), f"it claims {max(counts)} ", "possible are")


def test_a_file_cut_anywhere_is_refused(write):
    entries = [
        entry("general.name", STRING, packed("x")),
        entry("list", ARRAY, struct.pack("<IQ", STRING, 2) + packed("a") + packed("b")),
    ]
    whole = build(entries, [info("t", (4, 2))], data=b"\1" * 32)
    assert open_gguf(write(whole)).tensors["t"].shape == (2, 4)
    for length in range(1, len(whole)):
        refuse(write(whole[:length]))


def test_lengths_past_the_end_are_refused(write):
    refuse(write(build([struct.pack("<Q", 2**40)])), "claims 1099511627776 bytes, the limit is")
    refuse(write(build([struct.pack("<Q", 50_000)])), "needs 50000 bytes, but")
    strings = struct.pack("<IQ", STRING, 2)
    refuse(
        write(build([entry("k", ARRAY, strings + packed("a") + struct.pack("<Q", 2**63))])),
        "string 1 of 'k' claims 9223372036854775808 bytes, the limit is",
    )
    refuse(
        write(build([entry("k", ARRAY, strings + packed("a") + struct.pack("<Q", 50_000))])),
        "string 1 of 'k' needs 50000 bytes, but",
    )
    refuse(write(build([entry("k", ARRAY, struct.pack("<IQ", STRING, 2**60))])), "claims")
    refuse(write(build([entry("k", ARRAY, struct.pack("<IQ", STRING, 1000))])), "1000 strings")
    refuse(write(build([entry("k", ARRAY, struct.pack("<IQ", ARRAY, 1000))])), "1000 arrays")
    refuse(write(build([entry("k", ARRAY, struct.pack("<IQ", 12, 1000))])), "1000 × float64")


@pytest.mark.parametrize("window", [1, 8, 9, 30, 31, 1 << 20])
def test_strings_are_whole_wherever_a_window_ends(write, monkeypatch, window):
    """Empty, of several bytes a letter, and longer than a window; what follows them is read too."""
    monkeypatch.setattr(metadata, "WINDOW", window)
    strings = ["", "a", "▁漢🙂", "x" * 100, "", "▁" * 7, "end"]
    array = struct.pack("<IQ", STRING, len(strings)) + b"".join(map(packed, strings))
    file = open_gguf(write(build([entry("k", ARRAY, array), entry("n", STRING, packed("after"))])))
    assert file.metadata == {"k": strings, "n": "after"}


def test_array_items_are_limited_over_the_whole_file(write):
    half = struct.pack("<IQ", 0, 5_000_000) + bytes(5_000_000)
    assert open_gguf(write(build([entry("a", ARRAY, half)]))).metadata["a"][-1] == 0
    refuse(
        write(build([entry("a", ARRAY, half), entry("b", ARRAY, half)])),
        "'b' claims 5000000 items, the file's limit is 8388608",
    )


def test_arrays_nest_four_deep_and_no_deeper(write):
    def nested(depth):
        levels = struct.pack("<IQ", ARRAY, 1) * (depth - 1)
        return entry("k", ARRAY, levels + struct.pack("<IQI", UINT32, 1, 7))

    assert open_gguf(write(build([nested(4)]))).metadata["k"] == [[[[7]]]]
    refuse(write(build([nested(5)])), "'k' nests arrays deeper than 4")
    refuse(write(build([nested(5000)])), "'k' nests arrays deeper than 4")


def test_bad_values_are_refused(write):
    refuse(write(build([entry("k", 13, b"\0" * 8)])), "'k' has value type 13, known are 0 to 12")
    refuse(write(build([entry("k", 7, b"\2")])), "'k' has a bool of 2")
    refuse(write(build([entry("k", STRING, packed(b"\xff\xfe"))])), "'k' is not UTF-8")
    refuse(write(build([entry(b"\xc3", 0, b"\0")])), "metadata entry 0 is not UTF-8")
    refuse(write(build([entry("", 0, b"\0")])), "has 0 characters")
    refuse(write(build([entry("k" * 70_000, 0, b"\0")])), "has 70000 characters")
    twice = entry("k", 0, b"\0")
    refuse(write(build([twice, twice])), "the metadata key 'k' appears twice")


@pytest.mark.parametrize("alignment", [0, 1, 4, 33, 48])
def test_an_alignment_must_be_a_power_of_two(write, alignment):
    entries = [entry("general.alignment", UINT32, struct.pack("<I", alignment))]
    refuse(write(build(entries)), f"general.alignment is {alignment}", "power of 2")


def test_an_alignment_must_be_a_number(write):
    refuse(write(build([entry("general.alignment", STRING, packed("32"))])), "alignment is '32'")


def test_one_part_of_a_split_model_is_refused(write):
    split = [entry("split.count", 2, struct.pack("<H", 3))]
    refuse(write(build(split)), "one of 3 parts", "llama-gguf-split --merge")
    whole = [entry("split.count", 2, struct.pack("<H", 1))]
    assert open_gguf(write(build(whole))).tensors == {}


def test_bad_tensor_infos_are_refused(write):
    def one(*arguments, **options):
        return write(build(infos=[info(*arguments, **options)]))

    refuse(one("t", (4,), kind=99), "type 99 (unknown), read are F32, F16", "quantization")
    refuse(one("t", (256,), kind=16), "type 16 (IQ2_XXS), read are")
    refuse(one("t", (4,), kind=4), "type 4 (unknown)")
    refuse(one("t", (4,), offset=8), "'t' lies at 8, not a multiple of 32")
    refuse(one("t", (4,), offset=2**62), "'t' needs data bytes", "cut short")
    refuse(one("t", (17,)), "'t' needs data bytes 0 to 68, but there are 64")
    refuse(one("t", (2**40, 2**40)), "impossible shape")
    refuse(one("t", (2**32, 2**31)), "impossible shape")
    refuse(one("t", (2**62,)), "cut short")
    refuse(one("t", (0,)), "impossible shape [0]")
    refuse(one("t", (33,), kind=8), "rows of 33, which Q8_0 cannot hold: its blocks have 32")
    refuse(one("t", (128,), kind=12), "rows of 128, which Q4_K cannot hold: its blocks have 256")
    refuse(one("t", (1,) * 5), "5 dimensions, possible are 0 to 4")
    refuse(one("t", (), num_dims=2**32 - 1), "4294967295 dimensions")
    refuse(one(""), "the name of tensor 0 has 0 characters")


def test_tensors_that_share_names_or_bytes_are_refused(write):
    refuse(write(build(infos=[info("t"), info("t", offset=32)])), "tensor name 't' appears twice")
    refuse(write(build(infos=[info("a"), info("b")])), "overlaps another at offset 0")
    refuse(write(build(infos=[info("b", offset=32), info("a", (12,))])), "tensor 'b' overlaps")
