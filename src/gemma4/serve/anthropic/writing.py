"""An answer as Anthropic's events, block by block; a whole message is the fold of its events.

message_start → (content_block_start, …_delta …, …_stop) … → message_delta → message_stop
"""

import json
import secrets
from collections.abc import Iterator
from typing import Any, Final

from ...llm.events import ContentDelta, Event, Finished, ThoughtDelta, ToolCallEvent
from ...text.messages import ToolCall
from ..sealed_thought import sealed
from .usage import done_with, stop_of, usage_of

_EMPTY: Final[dict[str, dict[str, Any]]] = {
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "text": {"type": "text", "text": "", "citations": None},
}


class MessageWriter:
    """Turns events of an answer into events of the protocol.

    Args:
        shows_thought: False: a thought travels in its signature alone, for a client that will not show it.
        more: fields of the message that repeat what was asked.
    """

    def __init__(
        self,
        *,
        model: str,
        prompt_tokens: int,
        shows_thought: bool = True,
        more: dict[str, Any] | None = None,
    ) -> None:
        self._model = model
        self._prompt_tokens = prompt_tokens
        self._shows_thought = shows_thought
        self._more = more or {}
        self._index = 0
        self._open: str | None = None
        self._thought = ""

    def begin(self) -> dict[str, Any]:
        """The first event; what the cache held is known when the answer is over."""
        usage = {
            "input_tokens": self._prompt_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 0,
        }
        message: dict[str, Any] = {
            "id": f"msg_{secrets.token_hex(12)}",
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage,
        }
        return {"type": "message_start", "message": message}

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        """What an event becomes."""
        match event:
            case ThoughtDelta():
                yield from self._opened("thinking")
                self._thought += event.text
                if self._shows_thought:
                    yield self._delta({"type": "thinking_delta", "thinking": event.text})
            case ContentDelta():
                yield from self._opened("text")
                yield self._delta({"type": "text_delta", "text": event.text})
            case ToolCallEvent():
                yield from self._call(event.call)
            case Finished():
                yield from self._closed()
                yield {
                    "type": "message_delta",
                    "delta": stop_of(event),
                    "usage": usage_of(event),
                    **self._more,
                    **done_with(event),
                }
                yield {"type": "message_stop"}

    def _call(self, call: ToolCall) -> Iterator[dict[str, Any]]:
        yield from self._closed()
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        yield self._start(block)
        words = json.dumps(call.arguments, ensure_ascii=False)
        yield self._delta({"type": "input_json_delta", "partial_json": words})
        yield self._stop()

    def _opened(self, kind: str) -> Iterator[dict[str, Any]]:
        if self._open != kind:
            yield from self._closed()
            self._open = kind
            yield self._start(dict(_EMPTY[kind]))

    def _closed(self) -> Iterator[dict[str, Any]]:
        if self._open is None:
            return
        if self._open == "thinking":
            yield self._delta({"type": "signature_delta", "signature": sealed(self._thought)})
            self._thought = ""
        self._open = None
        yield self._stop()

    def _start(self, block: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _stop(self) -> dict[str, Any]:
        self._index += 1
        return {"type": "content_block_stop", "index": self._index - 1}


class MessageFold:
    """The message that a stream of events amounts to."""

    def __init__(self) -> None:
        self.message: dict[str, Any] = {}

    def take(self, event: dict[str, Any]) -> None:
        """Put one event to the others."""
        match event["type"]:
            case "message_start":
                self.message = event["message"]
            case "content_block_start":
                self.message["content"].append(event["content_block"])
            case "content_block_delta":
                _extend(self.message["content"][event["index"]], event["delta"])
            case "message_delta":
                self.message.update(event["delta"])
                self.message |= {k: v for k, v in event.items() if k not in ("type", "delta")}


def _extend(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] = delta["signature"]
        case "input_json_delta":  # a call comes in one piece
            block["input"] = json.loads(delta["partial_json"])
