"""What every conversation must keep to before it is rendered, whoever made it."""

from collections.abc import Sequence

from ...errors import MessageError
from ..messages import Message, Text, ToolCall


def check_conversation(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The messages, if they make sense; templates would leave out silently what this refuses.

    Raises:
        MessageError: naming the message's index: no message at all, media where no model reads them,
            calls by others than the assistant, answers to no call.
    """
    if not messages:
        raise MessageError("a conversation has 0 messages; send at least one")
    calls: dict[str, ToolCall] = {}
    for index, message in enumerate(messages):
        _check_media(message, index)
        if message.role == "tool":
            _check_answer(message, index, calls)
            continue
        if message.tool_call_id is not None:
            raise MessageError(
                f"message {index} ({message.role}) has a tool_call_id; only tool messages do"
            )
        calls = _calls(message, index)
    return tuple(messages)


def _check_media(message: Message, index: int) -> None:
    if all(isinstance(part, Text) for part in message.content):
        return
    if message.role in ("system", "developer"):
        raise MessageError(
            f"message {index} ({message.role}) holds media; put them into a user message"
        )
    if message.tool_calls:
        raise MessageError(
            f"message {index} (assistant) holds media beside tool calls; send words only"
        )


def _calls(message: Message, index: int) -> dict[str, ToolCall]:
    if message.role != "assistant" and (message.tool_calls or message.thought):
        raise MessageError(
            f"message {index} ({message.role}) has tool calls or reasoning; only the assistant does"
        )
    calls = {call.id: call for call in message.tool_calls}
    if len(calls) < len(message.tool_calls):
        raise MessageError(f"message {index} has tool calls with the same id; give each its own")
    return calls


def _check_answer(message: Message, index: int, calls: dict[str, ToolCall]) -> None:
    """Check one answer and take its call off `calls`."""
    if message.tool_calls or message.thought:
        raise MessageError(
            f"message {index} (tool) has tool calls or reasoning; only the assistant does"
        )
    if message.tool_call_id not in calls:
        waiting = ", ".join(f"{call.id} ({call.name})" for call in calls.values()) or "none"
        raise MessageError(
            f"message {index} (tool) answers call {message.tool_call_id}, but unanswered calls of the "
            f"assistant's message before it are: {waiting}"
        )
    call = calls.pop(message.tool_call_id)
    if message.name not in (None, call.name):
        raise MessageError(
            f"message {index} (tool) is named {message.name!r} but answers a call of {call.name!r}"
        )
