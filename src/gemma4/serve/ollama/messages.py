"""Messages as Ollama's clients send them → `Message`s. Unknown fields are let pass."""

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict

from ...text.messages import Audio, Image, Message, Part, Role, Text, ToolCall
from ..errors import RequestError
from ..media import decoded
from ..openai.messages import read_arguments

_ROLES: tuple[Role, ...] = get_args(Role)
_SOUNDS = (b"fLaC", b"OggS", b"ID3")


class OllamaMessage(BaseModel):
    """One message; what is not named here is let pass and ignored."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


def read_messages(messages: Sequence[OllamaMessage]) -> tuple[Message, ...]:
    """All of them.

    A tool's answer names its call by `tool_call_id`, or the tool by `tool_name`, or neither: then it
    answers the first call that has no answer yet.

    Raises:
        RequestError: naming the message that is wrong.
    """
    found: list[Message] = []
    waiting: list[ToolCall] = []
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        if message.role not in _ROLES:
            raise RequestError(
                f"{where}.role is {message.role!r}; it must be one of {', '.join(_ROLES)}",
                param=f"{where}.role",
            )
        content = (*read_images(message.images, where), *_words(message.content))
        if message.role == "tool":
            call = _answered(message, waiting, where)
            waiting.remove(call)
            found.append(
                Message(role="tool", content=content, tool_call_id=call.id, name=call.name)
            )
            continue
        calls = _calls(message, index, where) if message.role == "assistant" else ()
        waiting = list(calls)
        thought = message.thinking if message.role == "assistant" else None
        found.append(
            Message(role=message.role, content=content, thought=thought or None, tool_calls=calls)
        )
    return tuple(found)


def read_images(images: Sequence[str] | None, where: str) -> tuple[Part, ...]:
    """Base64 of pictures; a sound comes the same way and is known by its first bytes.

    Raises:
        RequestError: it is no base64.
    """
    return tuple(
        _medium(decoded(_payload(data), param=f"{where}.images[{index}]"))
        for index, data in enumerate(images or ())
    )


def _payload(data: str) -> str:
    return data.partition(",")[2] if data[:5].lower() == "data:" else data


def _medium(data: bytes) -> Part:
    is_wave = data[:4] == b"RIFF" and data[8:12] == b"WAVE"
    return Audio(data) if is_wave or data.startswith(_SOUNDS) else Image(data)


def _words(text: str | None) -> tuple[Part, ...]:
    return (Text(text),) if text else ()


def _calls(message: OllamaMessage, index: int, where: str) -> tuple[ToolCall, ...]:
    return tuple(
        _call(call, f"call_{index}_{number}", f"{where}.tool_calls[{number}]")
        for number, call in enumerate(message.tool_calls or ())
    )


def _call(call: Mapping[str, Any], id: str, where: str) -> ToolCall:
    """Ollama's clients send back no id: each call gets the one given here."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(function, Mapping) or not isinstance(name, str):
        raise RequestError(f"{where} needs a function with a name", param=where)
    given = call.get("id")
    return ToolCall(
        name=name,
        arguments=read_arguments(function.get("arguments"), where),
        id=given if isinstance(given, str) and given else id,
    )


def _answered(message: OllamaMessage, waiting: Sequence[ToolCall], where: str) -> ToolCall:
    id, name = message.tool_call_id, message.tool_name
    for call in waiting:
        if (not id or call.id == id) and (not name or call.name == name):
            return call
    known = ", ".join(f"{call.name} ({call.id})" for call in waiting) or "none"
    raise RequestError(
        f"{where} answers {id or name or 'a call'}, but calls without an answer are: {known}",
        param=where,
    )
