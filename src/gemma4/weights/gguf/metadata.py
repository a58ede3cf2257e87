"""Reads the numbers, strings and arrays of a GGUF header, trusting none of them.

Every length is checked against what is left of the file before anything of that length is made, so
that a hostile header costs neither memory nor time.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import CheckpointError
from ...quant import Bytes

MetadataValue = bool | int | float | str | list["MetadataValue"]

# Array items in one file: far above any real one (a vocabulary has 1.3 million), far below what
# would hurt.
MAX_ARRAY_ITEMS = 1 << 23
MAX_STRING_BYTES = 1 << 26
MAX_NESTING = 4

WINDOW = 1 << 20
"""Bytes that are copied at a time where strings follow each other."""

# GGUF value types. Scalars: id → (name, numpy type, little-endian).
_SCALARS = {
    0: ("uint8", "<u1"),
    1: ("int8", "<i1"),
    2: ("uint16", "<u2"),
    3: ("int16", "<i2"),
    4: ("uint32", "<u4"),
    5: ("int32", "<i4"),
    6: ("float32", "<f4"),
    7: ("bool", "<u1"),
    10: ("uint64", "<u8"),
    11: ("int64", "<i8"),
    12: ("float64", "<f8"),
}
_BOOL = 7
_STRING = 8
_ARRAY = 9
_LENGTH = struct.Struct("<Q")


@dataclass(kw_only=True, slots=True)
class HeaderReader:
    """A position in the header that moves forward as values are read.

    Attributes:
        path: for messages.
        data: the whole file, uint8 [size].
        position: of the next byte.
        items: array items taken so far.
    """

    path: Path
    data: Bytes
    position: int = 0
    items: int = 0

    def fail(self, problem: str) -> CheckpointError:
        """The error for a problem at this place of the file."""
        return CheckpointError(
            f"{self.path} is not a usable GGUF file: {problem} (byte {self.position} of "
            f"{len(self.data)}); download or convert it again"
        )

    def take(self, length: int, what: str) -> Bytes:
        """Take the next `length` bytes."""
        left = len(self.data) - self.position
        if length > left:
            raise self.fail(f"{what} needs {length} bytes, but {left} are left")
        start = self.position
        self.position += length
        return self.data[start : self.position]

    def unsigned32(self, what: str) -> int:
        """Take a 4-byte number."""
        return int.from_bytes(self.take(4, what).tobytes(), "little")

    def unsigned64(self, what: str) -> int:
        """Take an 8-byte number."""
        return int.from_bytes(self.take(8, what).tobytes(), "little")

    def string(self, what: str) -> str:
        """Take a length and so many bytes of UTF-8."""
        length = self.unsigned64(f"the length of {what}")
        if length > MAX_STRING_BYTES:
            raise self.fail(f"{what} claims {length} bytes, the limit is {MAX_STRING_BYTES}")
        return self._decode(self.take(length, what).tobytes(), what)

    def value(self, kind: int, what: str) -> MetadataValue:
        """Take a value of a GGUF type."""
        if kind == _STRING:
            return self.string(what)
        if kind == _ARRAY:
            return self._array(what, depth=1)
        return self._scalars(kind, 1, what)[0]

    def _array(self, what: str, depth: int) -> list[MetadataValue]:
        kind = self.unsigned32(f"the item type of {what}")
        count = self.unsigned64(f"the item count of {what}")
        self.items += count
        if self.items > MAX_ARRAY_ITEMS:
            raise self.fail(f"{what} claims {count} items, the file's limit is {MAX_ARRAY_ITEMS}")
        if kind == _STRING:
            return [*self._strings(count, what)]
        if kind != _ARRAY:
            return self._scalars(kind, count, what)
        if depth == MAX_NESTING:
            raise self.fail(f"{what} nests arrays deeper than {MAX_NESTING}")
        smallest = 12  # an inner array's item type and count
        if count * smallest > len(self.data) - self.position:
            raise self.fail(f"{what} claims {count} arrays, more than the rest of the file holds")
        return [self._array(what, depth + 1) for _ in range(count)]

    def _scalars(self, kind: int, count: int, what: str) -> list[MetadataValue]:
        if kind not in _SCALARS:
            raise self.fail(f"{what} has value type {kind}, known are 0 to 12")
        name, numpy_type = _SCALARS[kind]
        size = np.dtype(numpy_type).itemsize
        numbers = self.take(count * size, f"{what} ({count} × {name})").view(numpy_type)
        if kind != _BOOL:
            values: list[MetadataValue] = numbers.tolist()
            return values
        if count and numbers.max() > 1:
            raise self.fail(f"{what} has a bool of {numbers.max()}, allowed are 0 and 1")
        return [number == 1 for number in numbers.tolist()]

    def _strings(self, count: int, what: str) -> list[str]:
        """Take many strings: a vocabulary has 262,144, its merges twice as many."""
        if count * _LENGTH.size > len(self.data) - self.position:
            raise self.fail(f"{what} claims {count} strings, more than the rest of the file holds")
        strings = list[str]()
        while len(strings) < count:
            found = self._strings_within(WINDOW, count - len(strings), what)
            strings += found or [self.string(f"string {len(strings)} of {what}")]
        return strings

    def _strings_within(self, num_bytes: int, most: int, what: str) -> list[str]:
        """Take the strings that lie whole in the next bytes, at most so many; this loop is kept tight.

        Python's own bytes are cut and read in two thirds of a mapped array's time.
        """
        window = self.data[self.position : self.position + num_bytes].tobytes()
        size, position, strings = len(window), 0, list[str]()
        length_at, width, add = _LENGTH.unpack_from, _LENGTH.size, strings.append
        try:
            for _ in range(most):
                start = position + width
                if start > size:
                    break
                end = start + length_at(window, position)[0]
                if end > size:
                    break
                add(window[start:end].decode())
                position = end
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8: {error.reason}") from error
        self.position += position
        return strings

    def _decode(self, string: bytes, what: str) -> str:
        try:
            return string.decode()
        except UnicodeDecodeError as error:
            raise self.fail(f"{what} is not UTF-8: {error.reason}") from error
