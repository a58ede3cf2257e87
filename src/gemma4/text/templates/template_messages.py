"""Messages and tools in the form that chat templates read, which is transformers'."""

from collections.abc import Sequence
from typing import Any

from ..messages import Audio, Image, Message, Part, Text, Tool, Video


def to_template_tools(tools: Sequence[Tool]) -> list[dict[str, Any]] | None:
    """Tools as `{"type": "function", "function": {…}}`, or None if there are none."""
    return [{"type": "function", "function": _function(tool)} for tool in tools] or None


def to_template_messages(
    messages: Sequence[Message], *, wants_tool_responses: bool
) -> list[dict[str, Any]]:
    """Messages as mappings.

    Args:
        wants_tool_responses: put the answers of tools on the assistant's message, for templates from
            before July 2026 that know no role "tool".
    """
    if wants_tool_responses:
        return _with_responses(messages)
    return [_message(message) for message in messages]


def media_of(messages: Sequence[Message]) -> tuple[Image | Audio | Video, ...]:
    """All media in the order in which templates place them."""
    parts = (part for message in messages for part in message.content)
    return tuple(part for part in parts if not isinstance(part, Text))


def _function(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name, "description": tool.description}
    function["parameters"] = tool.parameters
    if tool.response is not None:
        function["response"] = tool.response
    return function


def _message(message: Message) -> dict[str, Any]:
    result: dict[str, Any] = {"role": message.role, "content": _content(message)}
    if message.thought:
        result["reasoning_content"] = message.thought
    if message.tool_calls:
        result["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        result["tool_call_id"] = message.tool_call_id
        if message.name is not None:
            result["name"] = message.name
    return result


def _content(message: Message) -> str | list[dict[str, str]]:
    """Text where one text says it all, which every template reads; parts otherwise."""
    is_single = len(message.content) <= 1 or message.role in ("system", "developer")
    if is_single and all(isinstance(part, Text) for part in message.content):
        return message.text
    return [_part(part) for part in message.content]


def _part(part: Part) -> dict[str, str]:
    match part:
        case Text(text):
            return {"type": "text", "text": text}
        case Image():
            return {"type": "image"}
        case Audio():
            return {"type": "audio"}
        case Video():
            return {"type": "video"}


def _with_responses(messages: Sequence[Message]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = []
    names: dict[str | None, str] = {}
    for message in messages:
        if message.role == "tool":
            responses = result[-1].setdefault("tool_responses", [])
            responses.append({"name": names[message.tool_call_id], "response": message.text})
            continue
        names = {call.id: call.name for call in message.tool_calls}
        if _completes(message, result):
            result[-1]["content"] = _content(message)
        else:
            result.append(_message(message))
    return result


def _completes(message: Message, before: list[dict[str, Any]]) -> bool:
    """Whether an answer belongs to the message whose calls were answered: it is the same turn."""
    if message.role != "assistant" or message.tool_calls or not before:
        return False
    return "tool_responses" in before[-1] and not before[-1]["content"]
