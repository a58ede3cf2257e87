"""Which call each answer of a tool belongs to, and where it stands: agents are not always exact.

    call a, call b │ answer b │ answer without id │ system words    →    a, b │ b │ a │ system words

Templates read answers behind the message that calls, and nowhere else; ids mean nothing to the model.
"""

from collections.abc import Sequence
from dataclasses import replace

from ...text.messages import Message, ToolCall
from ..errors import RequestError


class _Linker:
    """The conversation so far, and the calls of its last assistant message that wait."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.remarks: list[str] = []
        self._waiting: list[tuple[str, ToolCall]] = []  # id as the client has it, call
        self._answers_end = 0  # where the next answer belongs

    def add(self, message: Message, where: str) -> None:
        if message.role == "tool":
            self._answer(message, where)
            return
        if message.role == "assistant":
            message = self._renumbered(message)
        self.messages.append(message)
        if message.role == "assistant":
            self._answers_end = len(self.messages)

    def _renumbered(self, message: Message) -> Message:
        """Ids of our own, so that no two calls share one."""
        place = len(self.messages)
        calls = tuple(
            replace(call, id=f"call_{place}_{number}")
            for number, call in enumerate(message.tool_calls)
        )
        given = [call.id for call in message.tool_calls]
        self._waiting = list(zip(given, calls, strict=True))
        return replace(message, tool_calls=calls)

    def _answer(self, message: Message, where: str) -> None:
        call = self._take(message, where)
        linked = replace(message, tool_call_id=call.id, name=call.name)
        if self._answers_end < len(self.messages):
            self.remarks.append(f"{where} was moved up, behind the call that it answers")
        self.messages.insert(self._answers_end, linked)
        self._answers_end += 1

    def _take(self, message: Message, where: str) -> ToolCall:
        """The call of this id; else the first of this name; else the first."""
        if not self._waiting:
            raise RequestError(
                f"{where} is the answer of a tool and no call before it waits for one; "
                "send the assistant's message that called it",
                param=where,
            )
        ids = [id for id, _ in self._waiting]
        names = [call.name for _, call in self._waiting]
        if message.tool_call_id in ids:
            return self._waiting.pop(ids.index(message.tool_call_id))[1]
        found = names.index(message.name) if message.name in names else 0
        if message.tool_call_id is not None or message.name not in (None, names[found]):
            asked = repr(message.tool_call_id or message.name)
            self.remarks.append(
                f"{where} answers {asked}, which nobody called; it was taken as the answer of "
                f"{names[found]}"
            )
        return self._waiting.pop(found)[1]


def link_results(
    messages: Sequence[Message], places: Sequence[str]
) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    """The conversation with every answer linked and in its place, and remarks on what was mended.

    Args:
        places: what errors call each message.

    Raises:
        RequestError: an answer to which there is no call.
    """
    linker = _Linker()
    for message, where in zip(messages, places, strict=True):
        linker.add(message, where)
    return tuple(linker.messages), tuple(linker.remarks)
