"""Messages of chat completions, as clients send them, → `Message`s. Unknown fields are let pass.

What replayed answers hold is kept where the model has a place for it (`refusal`, `function_call`,
`reasoning_content`), and said where it has none (`audio`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict

from ...text.messages import Message, Part, Role, Text, ToolCall
from ..errors import RequestError
from ..settings import ServeSettings
from .linking import link_results
from .parts import object_of, read_content, text_of

_ROLES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}


class ChatMessage(BaseModel):
    """One message; what is not named here is let pass and ignored."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    function_call: dict[str, Any] | None = None
    reasoning_content: str | None = None
    reasoning: str | dict[str, Any] | None = None
    refusal: str | None = None
    audio: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ReadMessages:
    """A conversation, and remarks on what was mended or left out."""

    messages: tuple[Message, ...]
    remarks: tuple[str, ...] = ()


def read_messages(
    messages: Sequence[ChatMessage], settings: ServeSettings, param: str = "messages"
) -> ReadMessages:
    """All of them: answers of tools linked to their calls, system messages at the start made one.

    Raises:
        RequestError: naming the message and part that is wrong.
    """
    places = [f"{param}[{index}]" for index in range(len(messages))]
    read = [_message(one, at, settings) for one, at in zip(messages, places, strict=True)]
    linked, remarks = link_results(read, places)
    unheard = tuple(
        f"{at}.audio was left out: this server stores no answers"
        for one, at in zip(messages, places, strict=True)
        if one.audio
    )
    return ReadMessages(_one_system_turn(linked), (*unheard, *remarks))


def _message(message: ChatMessage, where: str, settings: ServeSettings) -> Message:
    role = _ROLES.get(message.role)
    if role is None:
        raise RequestError(
            f"{where}.role is {message.role!r}; it must be one of {', '.join(_ROLES)}",
            param=f"{where}.role",
        )
    content = read_content(message.content, where=f"{where}.content", settings=settings)
    if role == "tool":
        return Message(
            role=role, content=content, tool_call_id=message.tool_call_id, name=message.name
        )
    if role != "assistant":
        return Message(role=role, content=content)
    if message.refusal:  # what the model said then, and nothing else
        content = (*content, Text(message.refusal))
    thought = message.reasoning_content or message.reasoning
    return Message(
        role=role,
        content=content,
        thought=thought if isinstance(thought, str) and thought else None,
        tool_calls=_calls(message, where),
    )


def _calls(message: ChatMessage, where: str) -> tuple[ToolCall, ...]:
    """Calls with the ids that they came with; one without gets its place as id."""
    calls = [
        _call(call, f"{where}.tool_calls[{index}]")
        for index, call in enumerate(message.tool_calls or ())
    ]
    if message.function_call:
        calls.append(_function(message.function_call, f"{where}.function_call"))
    return tuple(calls)


def _call(call: Mapping[str, Any], where: str) -> ToolCall:
    if call.get("type") == "custom":  # a call with one text in place of arguments
        custom = object_of(call, "custom", where)
        text = text_of(custom, "input", where)
        read = ToolCall(name=text_of(custom, "name", where), arguments={"input": text}, id=where)
    else:
        read = _function(object_of(call, "function", where), where)
    id = call.get("id")
    return replace(read, id=id) if isinstance(id, str) and id else read


def _function(function: Mapping[str, Any], where: str) -> ToolCall:
    name = text_of(function, "name", where)
    return ToolCall(name=name, arguments=read_arguments(function.get("arguments"), where), id=where)


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


def _one_system_turn(messages: Sequence[Message]) -> tuple[Message, ...]:
    """System messages at the start as one: the model knows a single turn there, beside the tools.

    Those in the middle stay where they are: templates write each as a turn of its own, and what was
    computed of the messages before them can be used again.
    """
    count = next((i for i, one in enumerate(messages) if one.role != "system"), len(messages))
    if count < 2:
        return tuple(messages)
    parts: list[Part] = []
    for message in messages[:count]:
        parts += [Text("\n\n"), *message.content] if parts and message.content else message.content
    return (Message(role="system", content=tuple(parts)), *messages[count:])
