"""Server-sent events as OpenAI writes them: nameless, each a JSON object, `[DONE]` at the end."""

import json
from typing import Any, Final

from ...llm.worker import PrefillProgress

DONE: Final = b"data: [DONE]\n\n"
PING: Final = b": ping\n\n"


def event(body: dict[str, Any]) -> bytes:
    """One event."""
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"


def progress(item: PrefillProgress) -> bytes:
    """How far the prompt is read, as a comment: nobody hangs up on a long one, and people can see it."""
    return f": prompt {item.done}/{item.total}\n\n".encode()
