"""Content parts of input items → parts of messages."""

from collections.abc import Mapping
from typing import Any

from ....text.messages import Part, Text
from ...errors import RequestError
from ...fields import objects_of
from ...media import decoded
from ...settings import ServeSettings
from ..parts import read_content

_TEXTS = ("text/", "application/json", "application/xml", "application/x-yaml")


def read_parts(content: Any, *, where: str, settings: ServeSettings) -> tuple[Part, ...]:
    """Words, pictures, sounds and files of words.

    Raises:
        RequestError: naming the part that cannot be read.
    """
    if content is None or isinstance(content, str):
        return read_content(content, where=where, settings=settings)
    found: list[Part] = []
    for index, part in enumerate(objects_of(content, where)):
        place = f"{where}[{index}]"
        if part.get("type") == "input_file":
            found.append(_file(part, place))
        else:
            found += read_content([_plain(part, place)], where=place, settings=settings)
    return tuple(found)


def _plain(part: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The part as chat completions know it; `original` is as fine as there is."""
    if part.get("file_id") is not None:
        raise RequestError(
            f"{where} names a file by its id, and this server keeps none; send the data",
            param=where,
        )
    return {**part, "detail": "high"} if part.get("detail") == "original" else part


def _file(part: Mapping[str, Any], where: str) -> Text:
    """A file of words, its name before them.

    Raises:
        RequestError: it is not sent along, or is no text.
    """
    data, name = part.get("file_data"), part.get("filename") or "file"
    if not isinstance(data, str):
        raise RequestError(
            f"{where}: only file_data is read; send the file itself as a data: URL", param=where
        )
    head, comma, rest = data.partition(",")
    media_type = head.removeprefix("data:").partition(";")[0] if comma else "application/pdf"
    if not data.startswith("data:") or not media_type.startswith(_TEXTS):
        raise RequestError(
            f"{where}: {name} is {media_type}, which this server cannot read; send its words as text, "
            "or its pages as images",
            param=where,
        )
    try:
        return Text(f"{name}:\n{decoded(rest, param=where).decode()}")
    except UnicodeDecodeError as error:
        raise RequestError(f"{where}: {name} is no UTF-8 text: {error}", param=where) from error
