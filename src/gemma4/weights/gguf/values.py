"""Metadata values as bytes of a GGUF file (version 3): the inverse of `metadata.HeaderReader`.

GGUF has thirteen types and Python fewer. The types chosen here are those that llama.cpp reads the
keys of a model with: uint32 and float32 alone, int32 and float32 in arrays.
"""

import struct
from collections.abc import Sequence

from ...errors import CheckpointError
from .metadata import MetadataValue

_UINT32, _INT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _UINT64, _INT64, _FLOAT64 = (
    *(4, 5, 6, 7, 8, 9),
    *(10, 11, 12),
)
_CODES = {
    _UINT32: "I",
    _INT32: "i",
    _FLOAT32: "f",
    _BOOL: "?",
    _UINT64: "Q",
    _INT64: "q",
    _FLOAT64: "d",
}
_LARGEST_FLOAT32 = 3.4028234663852886e38


def encode_entry(key: str, value: MetadataValue) -> bytes:
    """A key, the type of its value, and the value.

    Raises:
        CheckpointError: GGUF has no type for the value.
    """
    kind = _scalar_type(key, value)
    return encode_string(key) + struct.pack("<I", kind) + _encode(key, kind, value)


def encode_string(text: str) -> bytes:
    """Length in bytes, and UTF-8."""
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _scalar_type(key: str, value: MetadataValue) -> int:
    match value:
        case bool():
            return _BOOL
        case int():
            return _integer_type(key, (value,), preferred=_UINT32)
        case float():
            return _float_type((value,))
        case str():
            return _STRING
        case _:
            return _ARRAY


def _item_type(key: str, items: Sequence[MetadataValue]) -> int:
    """One type for all items of an array; an empty one is of strings."""
    kinds = {type(item) for item in items}
    if kinds <= {str}:
        return _STRING
    if kinds == {bool}:
        return _BOOL
    if kinds == {int}:
        return _integer_type(key, [int(item) for item in items if isinstance(item, int)])
    if kinds <= {int, float}:
        return _float_type([float(item) for item in items if isinstance(item, int | float)])
    if kinds == {list}:
        return _ARRAY
    names = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise CheckpointError(f"the metadata key {key!r} mixes {names} in one array; GGUF cannot")


def _integer_type(key: str, values: Sequence[int], preferred: int = _INT32) -> int:
    least, largest = min(values), max(values)
    ranges = {
        _UINT32: (0, 1 << 32),
        _INT32: (-(1 << 31), 1 << 31),
        _INT64: (-(1 << 63), 1 << 63),
        _UINT64: (0, 1 << 64),
    }
    for kind in (preferred, _INT32, _UINT32, _INT64, _UINT64):
        low, end = ranges[kind]
        if low <= least and largest < end:
            return kind
    raise CheckpointError(f"the metadata key {key!r} has {largest}, which is beyond 64 bits")


def _float_type(values: Sequence[float]) -> int:
    """Single precision, unless a value is finite and beyond it."""
    finite = [abs(value) for value in values if abs(value) != float("inf") and value == value]
    return _FLOAT64 if max(finite, default=0.0) > _LARGEST_FLOAT32 else _FLOAT32


def _encode(key: str, kind: int, value: MetadataValue) -> bytes:
    if isinstance(value, str):
        return encode_string(value)
    if not isinstance(value, list):
        return struct.pack(f"<{_CODES[kind]}", value)
    item = _item_type(key, value)
    head = struct.pack("<IQ", item, len(value))
    if item == _STRING:  # a vocabulary has hundreds of thousands: kept tight
        data = [str(text).encode() for text in value]
        return head + b"".join(struct.pack("<Q", len(text)) + text for text in data)
    if item in _CODES:
        return head + struct.pack(f"<{len(value)}{_CODES[item]}", *value)
    return head + b"".join(_encode(key, item, each) for each in value)
