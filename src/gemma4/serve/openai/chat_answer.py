"""What streamed and whole chat answers share: ids, calls, finish reasons."""

import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from ...llm.events import Finished
from ...text.messages import ToolCall
from .usage import FINISH_REASONS


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatAnswer:
    """What all chunks of an answer have in common.

    Attributes:
        legacy: the client offered `functions`: one call comes back as `function_call`.
    """

    model: str
    legacy: bool = False
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, kind: str) -> dict[str, Any]:
        """The first fields of a `chat.completion` or `chat.completion.chunk`."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
        }

    def finish_reason(self, finished: Finished) -> str:
        """One of the words that clients know."""
        reason = FINISH_REASONS[finished.finish_reason]
        return "function_call" if self.legacy and reason == "tool_calls" else reason

    def unheard(self, num_calls: int) -> tuple[str, ...]:
        """What a client of `functions` cannot be told."""
        if not self.legacy or num_calls < 2:
            return ()
        left = f"{num_calls - 1} more calls were left out"
        return (f"{left}: function_call has room for one; offer `tools` instead of `functions`",)


def call_fields(call: ToolCall) -> dict[str, Any]:
    """A call, its arguments as JSON text; no argument is `{}`."""
    return {"id": call.id, "type": "function", "function": function_fields(call)}


def function_fields(call: ToolCall) -> dict[str, Any]:
    """Name and arguments."""
    return {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
