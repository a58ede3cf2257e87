"""Content blocks of Anthropic's messages, written into a transcript."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...text.messages import Image, Part, Text, ToolCall
from ..errors import RequestError
from ..fields import objects_of, text_of
from ..media import decoded, media_source
from ..sealed_thought import unsealed
from ..settings import ServeSettings
from ..transcript import Transcript
from .body import AnthropicMessage
from .documents import document_text, search_result_text
from .system import BILLING_REMARK, system_texts

_OF_SERVERS = ("server_tool_use", "mcp_tool_use", "container_upload")


class BlockReader:
    """Writes messages into a transcript.

    Attributes:
        remarks: what was left out.
    """

    def __init__(self, transcript: Transcript, settings: ServeSettings) -> None:
        self.remarks: list[str] = []
        self._transcript = transcript
        self._settings = settings

    def system(self, system: str | Sequence[Mapping[str, Any]] | None, where: str) -> None:
        """A system prompt, or a message of the system's."""
        texts, had_billing = system_texts(system, where)
        for text in texts:
            self._transcript.instruct(text)
        if had_billing:
            self._remark(BILLING_REMARK)

    def message(self, message: AnthropicMessage, where: str) -> None:
        """One message.

        Raises:
            RequestError: naming the message and block that is wrong.
        """
        content = message.content
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        match message.role:
            case "system" | "developer":
                self.system(content, f"{where}.content")
            case "user":
                self._user(blocks, f"{where}.content")
            case "assistant":
                for index, block in enumerate(blocks):
                    self._said(block, f"{where}.content[{index}]")
            case role:
                raise RequestError(
                    f"{where}.role is {role!r}; it must be user, assistant or system",
                    param=f"{where}.role",
                )

    def _user(self, blocks: Sequence[Mapping[str, Any]], where: str) -> None:
        """Results first, wherever they stand: they answer the message before."""
        asked: list[Part] = []
        for index, block in enumerate(blocks):
            place = f"{where}[{index}]"
            if block.get("type") == "tool_result":
                id = text_of(block, "tool_use_id", place)
                self._transcript.result(id, self._result(block, place), where=place)
            elif (part := self._part(block, place)) is not None:
                asked.append(part)
        if asked:
            self._transcript.ask(asked)

    def _said(self, block: Mapping[str, Any], where: str) -> None:
        match block.get("type"):
            case "text":
                if text := text_of(block, "text", where):
                    self._transcript.say([Text(text)])
            case "thinking":
                thought = block.get("thinking") or unsealed(str(block.get("signature", "")))
                self._thought(thought)
            case "redacted_thinking":
                self._thought(unsealed(str(block.get("data", ""))))
            case "tool_use":
                self._transcript.call(_call(block, where))
            case kind:
                self._left_out(kind, where)

    def _thought(self, thought: Any) -> None:
        if isinstance(thought, str) and thought:
            self._transcript.think(thought)
        else:
            self._remark("a thought that another model hid was left out: nobody here can read it")

    def _result(self, block: Mapping[str, Any], where: str) -> list[Part]:
        content = block.get("content") or ""
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        parts: list[Part] = []
        for index, inner in enumerate(objects_of(blocks, f"{where}.content")):
            place = f"{where}.content[{index}]"
            if inner.get("type") == "document":
                parts.append(self._document_of_tool(inner, place))
            elif (part := self._part(inner, place)) is not None:
                parts.append(part)
        return [Text("Error:"), *parts] if block.get("is_error") else parts

    def _document_of_tool(self, block: Mapping[str, Any], where: str) -> Text:
        """A tool's document that cannot be read is told to the model, which may try another way."""
        try:
            return Text(document_text(block, where))
        except RequestError as error:
            self._remark(str(error))
            return Text("[The tool returned a document that cannot be read here, such as a PDF.]")

    def _part(self, block: Mapping[str, Any], where: str) -> Part | None:
        match block.get("type"):
            case "text":
                return Text(text_of(block, "text", where))
            case "image":
                return self._image(block, where)
            case "document":
                return Text(document_text(block, where))
            case "search_result":
                return Text(search_result_text(block, where))
            case "tool_reference":
                return Text(f"Tool {block.get('tool_name')!r} is available.")
            case kind:
                self._left_out(kind, where)
                return None

    def _image(self, block: Mapping[str, Any], where: str) -> Image:
        source = block.get("source")
        kind = source.get("type") if isinstance(source, Mapping) else None
        if isinstance(source, Mapping) and kind == "base64":
            return Image(decoded(text_of(source, "data", where), param=where))
        if isinstance(source, Mapping) and kind == "url":
            url = text_of(source, "url", where)
            return Image(media_source(url, param=where, settings=self._settings))
        raise RequestError(
            f"{where}: the source of an image is {kind!r}; it must be base64 or url", param=where
        )

    def _left_out(self, kind: Any, where: str) -> None:
        """What servers of Anthropic's did is left out; anything else is an error."""
        if isinstance(kind, str) and (kind in _OF_SERVERS or kind.endswith("_tool_result")):
            self._remark(f"blocks of type {kind!r} were left out: no tool of this server made them")
            return
        raise RequestError(f"{where} is of type {kind!r}, which is not known here", param=where)

    def _remark(self, remark: str) -> None:
        if remark not in self.remarks:
            self.remarks.append(remark)


def _call(block: Mapping[str, Any], where: str) -> ToolCall:
    arguments = block.get("input") or {}
    if not isinstance(arguments, Mapping):
        raise RequestError(f"{where}.input must be an object", param=where)
    return ToolCall(
        name=text_of(block, "name", where), arguments=arguments, id=text_of(block, "id", where)
    )
