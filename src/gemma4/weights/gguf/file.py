"""GGUF files, versions 2 and 3: metadata and where each tensor lies, strictly checked.

Layout: magic, version, tensor count, metadata count | metadata | tensor infos | padding | data.
Specification: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

from ...errors import CheckpointError
from ...quant import FORMATS, UNSUPPORTED_GGML_NAMES, Bytes, TensorFormat
from ..mapped_file import map_file
from .metadata import HeaderReader, MetadataValue

DEFAULT_ALIGNMENT = 32
MAX_METADATA = 1 << 16
MAX_TENSORS = 1 << 16
MAX_NAME_BYTES = 1 << 16
MAX_DIMENSIONS = 4  # GGML_MAX_DIMS
_SMALLEST_METADATA = 8 + 1 + 4 + 1  # bytes: key length, key, type, value
_SMALLEST_TENSOR = 8 + 1 + 4 + 4 + 8  # bytes: name length, name, dimensions, type, offset


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufTensorInfo:
    """Where a tensor lies.

    Attributes:
        name: as in the file, such as `blk.0.attn_q.weight`.
        shape: outermost dimension first (the file has it last).
        format: how the values are stored.
        start, stop: first byte, and the one after the last, counted from the start of the file.
    """

    name: str
    shape: tuple[int, ...]
    format: TensorFormat
    start: int
    stop: int


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GgufFile:
    """An open GGUF file. The map lives as long as this object or any tensor read from it.

    Attributes:
        path: of the file.
        version: 2 or 3.
        metadata: key → bool, int, float, string or list of these.
        tensors: name → place, in file order.
        data: the mapped file, uint8 [size].
    """

    path: Path
    version: int
    metadata: Mapping[str, MetadataValue]
    tensors: Mapping[str, GgufTensorInfo]
    data: Bytes


def open_gguf(path: Path) -> GgufFile:
    """Read a GGUF file's header and map the rest.

    Raises:
        ModelNotFoundError: there is no such file.
        CheckpointError: it is no GGUF file, of another version or byte order, one part of several,
            or anything in its header is impossible.
    """
    reader = HeaderReader(path=path, data=map_file(path))
    version = _read_version(reader)
    num_tensors = _read_count(reader, "tensors", MAX_TENSORS, _SMALLEST_TENSOR)
    num_metadata = _read_count(reader, "metadata entries", MAX_METADATA, _SMALLEST_METADATA)
    metadata = _read_metadata(reader, num_metadata)
    _refuse_split(path, metadata)
    alignment = _read_alignment(reader, metadata)
    tensors = _read_tensors(reader, num_tensors, alignment)
    return GgufFile(
        path=path, version=version, metadata=metadata, tensors=tensors, data=reader.data
    )


def _read_version(reader: HeaderReader) -> int:
    magic = reader.take(4, "the magic number").tobytes()
    if magic == b"FUGG":
        raise _big_endian(reader.path)
    if magic != b"GGUF":
        raise CheckpointError(
            f"{reader.path} is not a GGUF file: it starts with {magic!r} instead of b'GGUF'; "
            "give a .gguf file or a directory of safetensors"
        )
    version = reader.unsigned32("the version")
    if version and version % (1 << 16) == 0:  # a small number, read backwards
        raise _big_endian(reader.path)
    if version not in (2, 3):
        raise CheckpointError(
            f"{reader.path} is GGUF version {version}, read are 2 and 3; "
            "convert the model again with a current llama.cpp"
        )
    return version


def _big_endian(path: Path) -> CheckpointError:
    return CheckpointError(
        f"{path} is a big-endian GGUF file, read are little-endian ones; "
        "convert it with gguf-py's gguf_convert_endian"
    )


def _read_count(reader: HeaderReader, what: str, limit: int, smallest: int) -> int:
    count = reader.unsigned64(f"the number of {what}")
    room = (len(reader.data) - reader.position) // smallest
    if count > min(limit, room):
        raise reader.fail(f"it claims {count} {what}, possible are {min(limit, room)}")
    return count


def _read_metadata(reader: HeaderReader, count: int) -> dict[str, MetadataValue]:
    metadata: dict[str, MetadataValue] = {}
    for number in range(count):
        key = _read_name(reader, f"the key of metadata entry {number}")
        if key in metadata:
            raise reader.fail(f"the metadata key {key!r} appears twice")
        kind = reader.unsigned32(f"the type of {key!r}")
        metadata[key] = reader.value(kind, f"{key!r}")
    return metadata


def _read_name(reader: HeaderReader, what: str) -> str:
    name = reader.string(what)
    if not 0 < len(name) <= MAX_NAME_BYTES:
        raise reader.fail(f"{what} has {len(name)} characters, allowed are 1 to {MAX_NAME_BYTES}")
    return name


def _refuse_split(path: Path, metadata: Mapping[str, MetadataValue]) -> None:
    count = metadata.get("split.count", 0)
    if isinstance(count, int) and count > 1:
        raise CheckpointError(
            f"{path} is one of {count} parts of a split model, read are single files; "
            "join them with `llama-gguf-split --merge FIRST-PART OUTPUT.gguf`"
        )


def _read_alignment(reader: HeaderReader, metadata: Mapping[str, MetadataValue]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment < 8 or alignment & (alignment - 1):
        raise reader.fail(f"general.alignment is {alignment!r}, it must be a power of 2 from 8")
    return alignment


def _read_tensors(reader: HeaderReader, count: int, alignment: int) -> dict[str, GgufTensorInfo]:
    relative = [_read_tensor(reader, number, alignment) for number in range(count)]
    data_start = -(-reader.position // alignment) * alignment
    tensors: dict[str, GgufTensorInfo] = {}
    end_of_last = 0
    for info in sorted(relative, key=lambda info: info.start):
        if info.start < end_of_last:
            raise reader.fail(f"tensor {info.name!r} overlaps another at offset {info.start}")
        end_of_last = info.stop
        room = len(reader.data) - data_start
        if info.stop > room:
            raise reader.fail(
                f"tensor {info.name!r} needs data bytes {info.start} to {info.stop}, "
                f"but there are {max(room, 0)}: the file is cut short"
            )
    for info in relative:
        if info.name in tensors:
            raise reader.fail(f"the tensor name {info.name!r} appears twice")
        tensors[info.name] = GgufTensorInfo(
            name=info.name,
            shape=info.shape,
            format=info.format,
            start=data_start + info.start,
            stop=data_start + info.stop,
        )
    return tensors


def _read_tensor(reader: HeaderReader, number: int, alignment: int) -> GgufTensorInfo:
    """Read one info; its places are still counted from the start of the data."""
    name = _read_name(reader, f"the name of tensor {number}")
    num_dimensions = reader.unsigned32(f"the dimensions of {name!r}")
    if num_dimensions > MAX_DIMENSIONS:
        raise reader.fail(f"{name!r} has {num_dimensions} dimensions, possible are 0 to 4")
    sizes = [reader.unsigned64(f"a dimension of {name!r}") for _ in range(num_dimensions)]
    shape = tuple(reversed(sizes))
    format = _format_of(reader, name, reader.unsigned32(f"the type of {name!r}"))
    start = reader.unsigned64(f"the offset of {name!r}")
    if start % alignment:
        raise reader.fail(f"{name!r} lies at {start}, not a multiple of {alignment}")
    if 0 in shape or prod(shape) >= 1 << 63:
        raise reader.fail(f"{name!r} has the impossible shape {list(shape)}")
    columns = shape[-1] if shape else 1
    if columns % format.block_size:
        raise reader.fail(
            f"{name!r} has rows of {columns}, which {format.name} cannot hold: "
            f"its blocks have {format.block_size} weights"
        )
    nbytes = prod(shape[:-1]) * format.row_bytes(columns)
    return GgufTensorInfo(name=name, shape=shape, format=format, start=start, stop=start + nbytes)


def _format_of(reader: HeaderReader, name: str, ggml_id: int) -> TensorFormat:
    for format in FORMATS.values():
        if format.ggml_id == ggml_id:
            return format
    known = UNSUPPORTED_GGML_NAMES.get(ggml_id, "unknown")
    readable = ", ".join(format.name for format in FORMATS.values() if format.ggml_id is not None)
    raise CheckpointError(
        f"{reader.path}: tensor {name!r} has type {ggml_id} ({known}), read are {readable}; "
        "take another quantization of the model"
    )
