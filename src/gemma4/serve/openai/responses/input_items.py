"""Input items, written into a transcript."""

import json
from collections.abc import Sequence
from typing import Any, Final

from ....text.messages import Part, ToolCall
from ...errors import RequestError
from ...fields import objects_of, text_of
from ...sealed_thought import unsealed
from ...settings import ServeSettings
from ...transcript import Transcript
from ..messages import read_arguments
from .body import Item
from .offered import INPUT, flat_name
from .parts import read_parts

# What OpenAI's servers do between two answers; a client replays it, and no tool of ours made it.
_OF_SERVERS: Final = (
    "web_search_call", "file_search_call", "computer_call", "computer_call_output", "compaction",
    "image_generation_call", "code_interpreter_call", "local_shell_call", "local_shell_call_output",
    "shell_call", "shell_call_output", "mcp_list_tools", "mcp_call", "mcp_approval_request",
    "mcp_approval_response", "tool_search_call", "tool_search_output", "additional_tools", "program",
    "program_output", "apply_patch_call", "apply_patch_call_output", "configuration_update",
)  # fmt: skip


class ItemReader:
    """Writes items into a transcript.

    Attributes:
        remarks: what was left out.
    """

    def __init__(self, transcript: Transcript, settings: ServeSettings) -> None:
        self.remarks: list[str] = []
        self._transcript = transcript
        self._settings = settings

    def read(self, items: Sequence[Item]) -> None:
        """All of them, each output behind its call.

        Raises:
            RequestError: naming the item that is wrong.
        """
        for index, item in enumerate(items):
            self._item(item, f"input[{index}]")

    def _item(self, item: Item, where: str) -> None:
        kind = item.get("type", "message")
        match kind:
            case "message":
                self._message(item, where)
            case "reasoning":
                self._reasoning(item)
            case "function_call":
                arguments = read_arguments(item.get("arguments"), where)
                self._transcript.call(_call(item, arguments, where))
            case "custom_tool_call":
                given = {INPUT: text_of(item, "input", where)}
                self._transcript.call(_call(item, given, where))
            case "function_call_output" | "custom_tool_call_output":
                call_id = text_of(item, "call_id", where)
                self._transcript.result(call_id, self._output(item, where), where=where)
            case _ if kind in _OF_SERVERS:
                self._remark(
                    f"items of type {kind!r} were left out: no tool of this server made them"
                )
            case _:
                raise RequestError(
                    f"{where} is of type {kind!r}, which is not known here", param=where
                )

    def _message(self, item: Item, where: str) -> None:
        role = item.get("role")
        place = f"{where}.content"
        parts = read_parts(item.get("content"), where=place, settings=self._settings)
        match role:
            case "system" | "developer":
                self._transcript.instruct(_words(parts, place))
            case "user":
                self._transcript.ask(parts)
            case "assistant":
                if parts:
                    self._transcript.say(parts)
            case _:
                raise RequestError(
                    f"{where}.role is {role!r}; it must be user, assistant, system or developer",
                    param=f"{where}.role",
                )

    def _reasoning(self, item: Item) -> None:
        """Our own thought from its sealed word; else what was shown of it."""
        thought = unsealed(str(item.get("encrypted_content") or ""))
        thought = thought or _shown(item.get("content")) or _shown(item.get("summary"))
        if thought:
            self._transcript.think(thought)
        elif item.get("encrypted_content"):
            self._remark("a thought that another model hid was left out: nobody here can read it")

    def _output(self, item: Item, where: str) -> tuple[Part, ...]:
        output = item.get("output")
        if output is None or isinstance(output, str | list):
            return read_parts(output, where=f"{where}.output", settings=self._settings)
        words = json.dumps(output, ensure_ascii=False)
        return read_parts(words, where=where, settings=self._settings)

    def _remark(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)


def _call(item: Item, arguments: Any, where: str) -> ToolCall:
    name = flat_name(text_of(item, "name", where), item.get("namespace"))
    return ToolCall(name=name, arguments=arguments, id=text_of(item, "call_id", where))


def _shown(parts: Any) -> str:
    texts = [part.get("text") for part in objects_of(parts, "reasoning")]
    return "\n".join(text for text in texts if isinstance(text, str))


def _words(parts: Sequence[Part], where: str) -> str:
    texts = [getattr(part, "text", None) for part in parts]
    if not all(isinstance(text, str) for text in texts):
        raise RequestError(f"{where} holds media; put them into a user message", param=where)
    return "\n\n".join(text for text in texts if text)
