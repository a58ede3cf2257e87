"""Content parts as clients write them → `Text`, `Image`, `Audio`, `Video`.

{"type": "text", "text": "…"}
{"type": "image_url", "image_url": {"url": "data:…", "detail": "low"}}      OpenAI
{"type": "input_audio", "input_audio": {"data": "BASE64", "format": "wav"}} OpenAI
{"type": "image", "image": PATH | BYTES | "data:…", "budget": 560}          our own; so "audio", "video"
"""

import base64
import binascii
from pathlib import Path
from typing import Any

from ...errors import MessageError
from ..messages import Audio, Image, MediaSource, Part, Text, Video
from .fields import Fields, kind

_BUDGETS = {"auto": None, "low": 70, "high": 1120}
"""OpenAI's `detail` as soft-token budget; None is the model's default."""

_TYPES = "text, image, image_url, audio, input_audio, audio_url, video, video_url"


def parse_content(value: Any, *, where: str) -> tuple[Part, ...]:
    """Parts of a message's `content`: a text, a list of parts, or null.

    Raises:
        MessageError: naming message, part and key.
    """
    if value is None:
        return ()
    if isinstance(value, str):
        return (Text(value),) if value else ()
    if not isinstance(value, list | tuple):
        raise MessageError(f"{where}: content is {kind(value)}; it must be text or a list of parts")
    return tuple(
        _part(part, where=f"{where}, content part {index}") for index, part in enumerate(value)
    )


def _part(value: Any, *, where: str) -> Part:
    if isinstance(value, Text | Image | Audio | Video):
        return value
    fields = Fields(value, where=where)
    part_type = fields.required_text("type")
    match part_type:
        case "text":
            return _text(fields)
        case "image":
            return _image(fields)
        case "image_url":
            return _image_url(fields)
        case "input_audio":
            return _input_audio(fields)
        case "audio":
            source = _source(fields, "audio")
            fields.finish("type", "audio")
            return Audio(source)
        case "video":
            source, num_frames = _source(fields, "video"), _count(fields, "num_frames")
            fields.finish("type", "video", "num_frames")
            return Video(source, num_frames=num_frames)
        case "audio_url" | "video_url":
            source = _data_url(Fields(fields.take(part_type), where=f"{where}, {part_type}"))
            fields.finish("type", part_type)
            return Audio(source) if part_type == "audio_url" else Video(source)
        case _:
            raise MessageError(f"{where} is of type {part_type!r}; known are {_TYPES}")


def _text(fields: Fields) -> Text:
    text = fields.text("text")
    if text is None:
        raise MessageError(f"{fields.where} has no text")
    fields.finish("type", "text")
    return Text(text)


def _image(fields: Fields) -> Image:
    source, budget = _source(fields, "image"), _count(fields, "budget")
    fields.finish("type", "image", "budget")
    return Image(source, budget=budget)


def _image_url(fields: Fields) -> Image:
    value = fields.take("image_url")
    fields.finish("type", "image_url")
    where = f"{fields.where}, image_url"
    inner = Fields({"url": value} if isinstance(value, str) else value, where=where)
    detail = inner.text("detail") or "auto"
    if detail not in _BUDGETS:
        raise MessageError(f"{where}: detail is {detail!r}; it must be auto, low or high")
    return Image(_data_url(inner, "detail"), budget=_BUDGETS[detail])


def _data_url(fields: Fields, *others: str) -> str:
    """A `data:` URL; nothing is fetched, and no path of this machine is opened for a client."""
    url = fields.required_text("url")
    fields.finish("url", *others)
    if not url.startswith("data:"):
        raise MessageError(
            f"{fields.where}: url is {url[:40]!r}; only data: URLs are read, send the bytes"
        )
    return url


def _input_audio(fields: Fields) -> Audio:
    inner = Fields(fields.take("input_audio"), where=f"{fields.where}, input_audio")
    fields.finish("type", "input_audio")
    data = inner.required_text("data")
    inner.text("format")  # the sound itself says what it is
    inner.finish("data", "format")
    try:
        return Audio(base64.b64decode(data, validate=True))
    except binascii.Error as error:
        raise MessageError(f"{inner.where}: data is no base64: {error}") from error


def _source(fields: Fields, key: str) -> MediaSource:
    value = fields.take(key)
    if not (isinstance(value, str | Path | bytes) and value):
        raise MessageError(
            f"{fields.where}: {key} is {kind(value)}; it must be a path, bytes or a data: URL"
        )
    return value


def _count(fields: Fields, key: str) -> int | None:
    value = fields.take(key)
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value > 0):
        return value
    raise MessageError(f"{fields.where}: {key} is {value!r}; it must be a number above 0")
