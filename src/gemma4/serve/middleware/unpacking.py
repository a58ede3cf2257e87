"""Bodies that come packed: gzip, deflate and zstd, a bounded piece at a time."""

import zlib
from collections.abc import Iterator
from typing import Final, Protocol

import zstandard

from ..errors import RequestError

_PIECE: Final = 2**20


class Unpacker(Protocol):
    """Takes what came, gives what it holds in pieces of at most a mebibyte, so that a bomb is seen early."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The next bytes."""
        ...

    def finish(self) -> None:
        """Nothing more comes.

        Raises:
            RequestError: something is missing.
        """
        ...


def unpacker(encoding: str | None, limit: int) -> Unpacker:
    """What undoes a `Content-Encoding`.

    Args:
        limit: of the unpacked body; a window larger than that is refused.

    Raises:
        RequestError: nobody here knows the encoding.
    """
    name = (encoding or "identity").strip().lower()
    match name:
        case "identity" | "":
            return _Plain()
        case "gzip" | "x-gzip":
            return _Zlib(name, zlib.MAX_WBITS | 16)
        case "deflate":
            return _Zlib(name, zlib.MAX_WBITS)
        case "zstd":
            return _Zstandard(limit)
    raise RequestError(
        f"bodies of encoding {name[:40]!r} are not read; send it as it is, or as gzip, deflate or zstd",
        status=415,
        code="unsupported_encoding",
    )


class _Plain:
    def feed(self, chunk: bytes) -> Iterator[bytes]:
        yield chunk

    def finish(self) -> None:
        pass


class _Zlib:
    def __init__(self, name: str, window: int) -> None:
        self._name = name
        self._stream = zlib.decompressobj(window)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        while chunk:
            try:
                piece = self._stream.decompress(chunk, _PIECE)
            except zlib.error as error:
                raise _damaged(self._name, str(error)) from error
            yield piece
            chunk = self._stream.unconsumed_tail
        if self._stream.unused_data:
            raise _damaged(self._name, "there are bytes behind its end")

    def finish(self) -> None:
        if not self._stream.eof:
            raise _damaged(self._name, "its end is missing")


class _Zstandard:
    """One frame. Input goes in by little pieces, for a frame may hold a thousand times its own size."""

    _STEP: Final = 256

    def __init__(self, limit: int) -> None:
        window = max(limit, 2**23)
        self._stream = zstandard.ZstdDecompressor(max_window_size=window).decompressobj()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        for start in range(0, len(chunk), self._STEP):
            if self._stream.eof:
                raise _damaged("zstd", "there are bytes behind its end")
            try:
                yield self._stream.decompress(chunk[start : start + self._STEP])
            except zstandard.ZstdError as error:
                raise _damaged("zstd", str(error)) from error

    def finish(self) -> None:
        if not self._stream.eof:
            raise _damaged("zstd", "its end is missing")


def _damaged(name: str, why: str) -> RequestError:
    return RequestError(f"the body is no {name}: {why}; pack it again", code="damaged_body")
