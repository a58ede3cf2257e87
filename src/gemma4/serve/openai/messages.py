"""Messages of chat completions, as clients send them, → `Message`s. Unknown fields are let pass."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from ...text.messages import Audio, Image, Message, Part, Role, Text, ToolCall, Video
from ..errors import RequestError
from ..media import decoded, media_source
from ..settings import ServeSettings

_ROLES: tuple[Role, ...] = get_args(Role)
_BUDGETS = {"auto": None, "low": 70, "high": 1120}


class ChatMessage(BaseModel):
    """One message; what is not named here is let pass and ignored."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Any] | None = None


def read_messages(
    messages: Sequence[ChatMessage], settings: ServeSettings, param: str = "messages"
) -> tuple[Message, ...]:
    """All of them.

    Raises:
        RequestError: naming the message and part that is wrong.
    """
    return tuple(
        _message(message, f"{param}[{index}]", settings) for index, message in enumerate(messages)
    )


def _message(message: ChatMessage, where: str, settings: ServeSettings) -> Message:
    role = "tool" if message.role == "function" else message.role
    if role not in _ROLES:
        raise RequestError(
            f"{where}.role is {message.role!r}; it must be one of {', '.join(_ROLES)}",
            param=f"{where}.role",
        )
    content = read_content(message.content, where=f"{where}.content", settings=settings)
    if role != "assistant":
        answers = message.tool_call_id if role == "tool" else None
        name = message.name if role == "tool" else None
        return Message(role=role, content=content, tool_call_id=answers, name=name)
    thought = message.reasoning_content or message.reasoning
    return Message(
        role=role,
        content=content,
        thought=thought if isinstance(thought, str) and thought else None,
        tool_calls=tuple(
            _call(call, f"{where}.tool_calls[{index}]")
            for index, call in enumerate(message.tool_calls or ())
        ),
    )


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
    return tuple(
        _part(part, f"{where}[{index}]", settings)
        for index, part in enumerate(content)
        if part.get("type") != "refusal"
    )


def _part(part: Mapping[str, Any], where: str, settings: ServeSettings) -> Part:
    kind = part.get("type")
    match kind:
        case "text" | "input_text" | "output_text":
            return Text(_text(part, "text", where))
        case "image_url" | "input_image":
            return _image(part, where, settings)
        case "input_audio":
            inner = _mapping(part, "input_audio", where)
            return Audio(decoded(_text(inner, "data", where), param=where))
        case "audio_url" | "video_url":
            url = _url(part.get(kind), where)
            source = media_source(url, param=where, settings=settings)
            return Audio(source) if kind == "audio_url" else Video(source)
        case "input_video":
            inner = _mapping(part, "input_video", where)
            if "data" in inner:
                return Video(decoded(_text(inner, "data", where), param=where))
            return Video(media_source(_url(inner, where), param=where, settings=settings))
    raise RequestError(
        f"{where} is of type {kind!r}; known are text, image_url, input_audio, audio_url, "
        "video_url and input_video",
        param=where,
    )


def _image(part: Mapping[str, Any], where: str, settings: ServeSettings) -> Image:
    value = part.get("image_url")
    detail = value.get("detail") if isinstance(value, Mapping) else part.get("detail")
    if detail not in (None, *_BUDGETS):
        raise RequestError(
            f"{where}.detail is {detail!r}; it must be auto, low or high", param=where
        )
    source = media_source(_url(value, where), param=where, settings=settings)
    return Image(source, budget=_BUDGETS[detail or "auto"])


def _url(value: Any, where: str) -> str:
    url = value.get("url") if isinstance(value, Mapping) else value
    if not isinstance(url, str) or not url:
        raise RequestError(f"{where} has no url", param=where)
    return url


def _text(part: Mapping[str, Any], key: str, where: str) -> str:
    value = part.get(key)
    if not isinstance(value, str):
        raise RequestError(f"{where}.{key} must be text", param=where)
    return value


def _mapping(part: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = part.get(key)
    if not isinstance(value, Mapping):
        raise RequestError(f"{where}.{key} must be an object", param=where)
    return value


def _call(call: Mapping[str, Any], where: str) -> ToolCall:
    function = _mapping(call, "function", where)
    name = _text(function, "name", where)
    id = call.get("id")
    if not isinstance(id, str) or not id:
        raise RequestError(f"{where} has no id", param=where)
    return ToolCall(name=name, arguments=read_arguments(function.get("arguments"), where), id=id)


def read_arguments(value: Any, where: str) -> Mapping[str, Any]:
    """Arguments of a call: an object, or its JSON text; nothing at all is no argument.

    Raises:
        RequestError: it is neither.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except (ValueError, RecursionError) as error:
            raise RequestError(f"{where}: arguments are no JSON: {error}", param=where) from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise RequestError(f"{where}: arguments must be a JSON object", param=where)
    return value
