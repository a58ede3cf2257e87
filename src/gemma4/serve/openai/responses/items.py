"""Output items while they grow: each tells its events from the first to the last."""

import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

from ....text.messages import ToolCall
from ...sealed_thought import sealed
from .offered import INPUT, CallForm

Told = tuple[str, dict[str, Any]]  # an event's name behind "response.", and its fields
_COMPLETED: Final = "completed"


class MessageItem:
    """What the model says."""

    def __init__(self) -> None:
        self.item: dict[str, Any] = {
            "id": _id("msg"),
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [],
        }
        self._text = ""

    def open(self) -> Iterator[Told]:
        """It begins."""
        yield "content_part.added", {"content_index": 0, "part": _text_part("", [])}

    def add(self, text: str) -> Told:
        """It goes on."""
        self._text += text
        return "output_text.delta", {"content_index": 0, "delta": text, "logprobs": []}

    def close(self, status: str, logprobs: list[dict[str, Any]]) -> Iterator[Told]:
        """It is over.

        Args:
            logprobs: of the answer's tokens; those of this text are taken.
        """
        mine = _tail(logprobs, self._text)
        part = _text_part(self._text, mine)
        yield "output_text.done", {"content_index": 0, "text": self._text, "logprobs": mine}
        yield "content_part.done", {"content_index": 0, "part": part}
        self.item |= {"status": status, "content": [part]}


class ReasoningItem:
    """What the model thinks: as its reasoning, or as the summary that a client asked for.

    Args:
        as_summary: Codex shows summaries only; the thought itself stands there then.
        seals: send it as `encrypted_content` too, for clients that send nothing else back.
    """

    def __init__(self, *, as_summary: bool, seals: bool) -> None:
        self.item: dict[str, Any] = {
            "id": _id("rs"),
            "type": "reasoning",
            "status": "in_progress",
            "summary": [],
        }
        self._text = ""
        self._seals = seals
        self._place = {"summary_index": 0} if as_summary else {"content_index": 0}
        self._part = "reasoning_summary_part" if as_summary else "content_part"
        self._events = "reasoning_summary_text" if as_summary else "reasoning_text"
        self._key = "summary" if as_summary else "content"
        self._type = "summary_text" if as_summary else "reasoning_text"

    def open(self) -> Iterator[Told]:
        """It begins."""
        yield f"{self._part}.added", {**self._place, "part": {"type": self._type, "text": ""}}

    def add(self, text: str) -> Told:
        """It goes on."""
        self._text += text
        return f"{self._events}.delta", {**self._place, "delta": text}

    def close(self, status: str, logprobs: list[dict[str, Any]]) -> Iterator[Told]:
        """It is over."""
        del logprobs
        part = {"type": self._type, "text": self._text}
        yield f"{self._events}.done", {**self._place, "text": self._text}
        yield f"{self._part}.done", {**self._place, "part": part}
        self.item |= {"status": status, self._key: [part]}
        if self._seals:
            self.item["encrypted_content"] = sealed(self._text)


class CallItem:
    """A call, which comes in one piece."""

    def __init__(self, call: ToolCall, form: CallForm) -> None:
        self._is_custom = form.is_custom
        given = call.arguments.get(INPUT) if form.is_custom else None
        self._words = given if isinstance(given, str) else _json(call)
        self.item: dict[str, Any] = {
            "id": _id("ctc" if form.is_custom else "fc"),
            "type": "custom_tool_call" if form.is_custom else "function_call",
            "status": "in_progress",
            "call_id": call.id,
            "name": form.name,
            "input" if form.is_custom else "arguments": "",
        }
        if form.namespace is not None:
            self.item["namespace"] = form.namespace

    def tell(self) -> Iterator[Told]:
        """All between its first event and its last."""
        key = "input" if self._is_custom else "arguments"
        events = "custom_tool_call_input" if self._is_custom else "function_call_arguments"
        name = {} if self._is_custom else {"name": self.item["name"]}
        yield f"{events}.delta", {"delta": self._words}
        yield f"{events}.done", {key: self._words, **name}
        self.item |= {key: self._words, "status": _COMPLETED}


def _text_part(text: str, logprobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _tail(logprobs: list[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    """The last tokens that make up a text; thoughts came before, marks of the turn behind."""
    for end in range(len(logprobs), 0, -1):
        words, start = "", end
        while start and len(words) < len(text):
            start -= 1
            words = logprobs[start]["token"] + words
        if words == text:
            return logprobs[start:end]
        if end < len(logprobs) - 1:  # at most two marks follow what was said
            break
    return []


def _json(call: ToolCall) -> str:
    return json.dumps(call.arguments, ensure_ascii=False)


def _id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(16)}"
