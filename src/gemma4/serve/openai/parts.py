"""Parts of a message's content, in all forms that clients send → `Text`, `Image`, `Audio`, `Video`.

    text, input_text, output_text   {"text": "…"}            refusal   {"refusal": "…"}
    image_url, input_image          {"image_url": "data:…" | {"url", "detail"}}
    image                           {"image": "data:…"} or {"url": …}
    input_audio                     {"input_audio": {"data": BASE64, "format"}}
    audio_url, video_url            {"audio_url": "data:…" | {"url"}}
    input_video                     {"input_video": {"data": BASE64} | {"url"}}

Any of the pictures may have an `image_budget`, the most soft tokens that it may take.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ...text.messages import Audio, Image, Part, Text, Video
from ..errors import RequestError
from ..media import decoded, media_source
from ..settings import ServeSettings

_BUDGETS = {"auto": None, "low": 70, "high": 1120, "original": 1120}
_KNOWN = "text, refusal, image_url, input_audio, audio_url, video_url and input_video"


def read_content(
    content: str | Sequence[Mapping[str, Any]] | None, *, where: str, settings: ServeSettings
) -> tuple[Part, ...]:
    """Parts of a message's content, whatever its form.

    Raises:
        RequestError: a part that is not understood, or data that cannot be read.
    """
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(_part(part, f"{where}[{index}]", settings) for index, part in enumerate(content))


def _part(part: Mapping[str, Any], where: str, settings: ServeSettings) -> Part:
    match part.get("type"):
        case "text" | "input_text" | "output_text":
            return Text(text_of(part, "text", where))
        case "refusal":
            return Text(text_of(part, "refusal", where))
        case "image_url" | "input_image" | "image":
            return _image(part, where, settings)
        case "input_audio" | "input_video" as kind:
            return _inline(part, kind, where, settings)
        case "audio_url" | "video_url" as kind:
            source = media_source(_url(part.get(kind), where), param=where, settings=settings)
            return (Audio if kind == "audio_url" else Video)(source, where=where)
        case kind:
            raise RequestError(f"{where} is of type {kind!r}; known are {_KNOWN}", param=where)


def _image(part: Mapping[str, Any], where: str, settings: ServeSettings) -> Image:
    value = next((part[key] for key in ("image_url", "image", "url") if part.get(key)), None)
    detail = value.get("detail") if isinstance(value, Mapping) else part.get("detail")
    if detail is not None and detail not in _BUDGETS:
        raise RequestError(
            f"{where}: detail is {detail!r}; it must be auto, low or high", param=where
        )
    source = media_source(_url(value, where), param=where, settings=settings)
    return Image(source, budget=_budget(part, where) or _BUDGETS[detail or "auto"], where=where)


def _budget(part: Mapping[str, Any], where: str) -> int | None:
    budget = part.get("image_budget")
    if budget is not None and (not isinstance(budget, int) or isinstance(budget, bool)):
        raise RequestError(f"{where}: image_budget is {budget!r}; it must be a number", param=where)
    return budget


def _inline(
    part: Mapping[str, Any], kind: str, where: str, settings: ServeSettings
) -> Audio | Video:
    inner = object_of(part, kind, where)
    medium = Audio if kind == "input_audio" else Video
    if "data" in inner:
        return medium(decoded(text_of(inner, "data", where), param=where), where=where)
    source = media_source(_url(inner, where), param=where, settings=settings)
    return medium(source, where=where)


def _url(value: Any, where: str) -> str:
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or not url:
        raise RequestError(f"{where} has no url", param=where)
    return url


def text_of(part: Mapping[str, Any], key: str, where: str) -> str:
    """A field that must be text.

    Raises:
        RequestError: it is not.
    """
    value = part.get(key)
    if not isinstance(value, str):
        raise RequestError(f"{where}.{key} must be text", param=where)
    return value


def object_of(part: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """A field that must be an object.

    Raises:
        RequestError: it is not.
    """
    value = part.get(key)
    if not isinstance(value, Mapping):
        raise RequestError(f"{where}.{key} must be an object", param=where)
    return value
