"""Where a medium comes from: a path, bytes in memory, or a `data:` URL. Nothing is fetched."""

import base64
import binascii
import io
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from gemma4.errors import MediaError

Source = str | os.PathLike[str] | bytes | bytearray | memoryview

MAX_INLINE_BYTES = 256 * 1024 * 1024  # of a `data:` URL's text: it is in memory more than once

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://")
_BASE64_VARIANTS = bytes.maketrans(b"-_", b"+/")
_WHITESPACE = b" \t\r\n\f"


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaSource:
    """A medium that can be opened, once or again.

    Attributes:
        name: what messages call it: a file's name, or where its bytes came from.
        content: a file's path, or the bytes themselves.
    """

    name: str
    content: Path | bytes

    def open(self) -> BinaryIO:
        """A new seekable stream from the first byte on; the caller closes it.

        Raises:
            MediaError: the file cannot be read (any more).
        """
        if isinstance(self.content, bytes):
            return io.BytesIO(self.content)
        try:
            return self.content.open("rb")
        except OSError as error:
            raise _unreadable(self.name, error) from error


def resolve_source(source: Source) -> MediaSource:
    """Find out what `source` is, without reading a file's content.

    Raises:
        MediaError: no such file, not a regular file, an empty one, a URL other than `data:`.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_bytes("the given bytes", bytes(source))
    if isinstance(source, str):
        if source[:5].lower() == "data:":
            return _from_bytes("the data: URL", decode_data_url(source))
        if match := _URL.match(source):
            raise MediaError(
                f"{_shortened(source)}: {match['scheme'].lower()} URLs are not fetched; "
                "download the file first and give its path"
            )
    return _from_path(Path(source))


def decode_data_url(url: str) -> bytes:
    """Decode `data:[type][;parameter…][;base64],content` (RFC 2397).

    Base64 may be of the URL-safe alphabet, unpadded, percent-encoded, broken by white space; the
    word `base64` may stand at any place among the parameters.

    Raises:
        MediaError: no comma, over `MAX_INLINE_BYTES`, or not base64.
    """
    if len(url) > MAX_INLINE_BYTES:
        raise MediaError(
            f"the data: URL has {len(url)} characters, the limit is {MAX_INLINE_BYTES}; "
            "save the medium to a file and give its path"
        )
    header, comma, content = url.partition(",")
    if not comma or header[:5].lower() != "data:":
        raise MediaError(
            f"{_shortened(url)} is no data: URL; it must read data:image/png;base64,CONTENT"
        )
    parameters = [word.strip().lower() for word in header[5:].split(";")[1:]]
    data = unquote_to_bytes(content)
    return _decode_base64(data) if "base64" in parameters else data


def _decode_base64(text: bytes) -> bytes:
    digits = text.translate(_BASE64_VARIANTS, _WHITESPACE).rstrip(b"=")
    try:
        return base64.b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
    except binascii.Error as error:
        raise MediaError(
            f"the data: URL's {len(text)} characters of content are not base64 ({error}); "
            "encode the file's bytes again"
        ) from error


def _from_bytes(name: str, content: bytes) -> MediaSource:
    if not content:
        raise MediaError(f"{name}: 0 bytes; at least one is needed, check what was passed")
    return MediaSource(name=f"{name} ({len(content)} bytes)", content=content)


def _from_path(path: Path) -> MediaSource:
    name = _shortened(str(path))
    try:
        if path.is_dir():
            raise MediaError(f"{name} is a directory; give one file in it")
        if path.exists() and not path.is_file():
            raise MediaError(f"{name} is no regular file and may never end; save it to a file")
        empty = path.stat().st_size == 0
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise _unreadable(name, error) from error
    if empty:
        raise MediaError(f"{name}: 0 bytes; the file is empty, copy or download it again")
    return MediaSource(name=name, content=path)


def _unreadable(name: str, error: Exception) -> MediaError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return MediaError(f"{name} cannot be read: {reason}; check the path and its permissions")


def _shortened(text: str, limit: int = 120) -> str:
    """One line of at most `limit` characters, so that a wrong value cannot flood a message."""
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
