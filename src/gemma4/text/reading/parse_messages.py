"""Conversations as clients write them (OpenAI's chat format, or our own values) → `Message`s, strictly.

Nothing is dropped: a key that is not understood is an error that names message and key.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from ...errors import MessageError
from ..messages import Message, Role, Text, ToolCall
from .conversation import check_conversation
from .fields import Fields, kind
from .parse_parts import parse_content

_ROLES: tuple[Role, ...] = get_args(Role)


def to_messages(conversation: str | Sequence[Message | Mapping[str, Any]]) -> tuple[Message, ...]:
    """A conversation as values, checked; a text is what a user says.

    Raises:
        MessageError: naming the message's index and the key.
    """
    if isinstance(conversation, str):
        return check_conversation((Message(role="user", content=(Text(conversation),)),))
    if not isinstance(conversation, Sequence):
        raise MessageError(
            f"a conversation is {kind(conversation)}; it must be text or a list of messages"
        )
    messages = [
        message if isinstance(message, Message) else _message(message, index)
        for index, message in enumerate(conversation)
    ]
    return check_conversation(_linked(messages))


def _message(value: Any, index: int) -> Message:
    fields = Fields(value, where=f"message {index}")
    role = fields.required_text("role")
    if role not in _ROLES:
        raise MessageError(
            f"message {index}: role is {role!r}; it must be one of {', '.join(_ROLES)}"
        )
    content = parse_content(fields.take("content"), where=f"message {index}")
    name = fields.text("name")
    if role == "assistant":
        message = Message(
            role=role,
            content=content,
            name=name,
            thought=_thought(fields),
            tool_calls=_tool_calls(fields, index),
        )
        # What the OpenAI client replays empty.
        fields.must_be_absent("refusal", "audio", "function_call", "annotations")
        fields.finish("role", "content", "name", "reasoning_content", "reasoning", "tool_calls")
        return message
    if role == "tool":
        tool_call_id = fields.text("tool_call_id")
        fields.finish("role", "content", "name", "tool_call_id")
        return Message(role=role, content=content, name=name, tool_call_id=tool_call_id)
    fields.finish("role", "content", "name")
    return Message(role=role, content=content, name=name)


def _thought(fields: Fields) -> str | None:
    thoughts = {fields.text("reasoning_content"), fields.text("reasoning")} - {None, ""}
    if len(thoughts) > 1:
        raise MessageError(
            f"{fields.where}: reasoning and reasoning_content differ; send one of them"
        )
    return thoughts.pop() if thoughts else None


def _tool_calls(fields: Fields, index: int) -> tuple[ToolCall, ...]:
    return tuple(
        _tool_call(value, index, position)
        for position, value in enumerate(fields.list("tool_calls"))
    )


def _tool_call(value: Any, index: int, position: int) -> ToolCall:
    if isinstance(value, ToolCall):
        return value
    call = Fields(value, where=f"message {index}, tool call {position}")
    call_type = call.text("type") or "function"
    if call_type != "function":
        raise MessageError(f"{call.where} is of type {call_type!r}; it must be function")
    id = call.text("id") or f"call_{index}_{position}"
    function = Fields(call.take("function"), where=f"{call.where}, function")
    call.finish("id", "type", "function")
    name = function.required_text("name")
    arguments = _arguments(function)
    function.finish("name", "arguments")
    return ToolCall(name=name, arguments=arguments, id=id)


def _arguments(function: Fields) -> Mapping[str, Any]:
    """Arguments as a mapping; text is read as JSON, and nothing at all is no argument."""
    value = function.take("arguments")
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}", parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            raise MessageError(f"{function.where}: arguments are no JSON: {error}") from error
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MessageError(
            f"{function.where}: arguments are {kind(value)}; they must be a JSON object"
        )
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON value")


def _linked(messages: Sequence[Message]) -> tuple[Message, ...]:
    """Tool messages without an id answer the first call of their name that is still unanswered."""
    linked: list[Message] = []
    open_calls: list[ToolCall] = []
    for message in messages:
        if message.role != "tool":
            open_calls = list(message.tool_calls)
        elif message.tool_call_id is None:
            call = next((c for c in open_calls if message.name in (None, c.name)), None)
            message = message if call is None else replace(message, tool_call_id=call.id)
        if message.role == "tool":
            open_calls = [call for call in open_calls if call.id != message.tool_call_id]
        linked.append(message)
    return tuple(linked)
