"""A conversation as a JSON file: written in one step, read back strictly."""

import base64
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import InputError, MessageError
from ...text.messages import Audio, Image, Message, Part, Text, Video
from ..run.options import format_setting
from .reader import MARK, VERSION, Saved, read_saved
from .session import ChatSession

_MAX_BYTES = 256 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Refusal:
    """Why a file is no conversation."""

    reason: str


def save_conversation(chat: ChatSession, path: Path) -> None:
    """Write the conversation; an older one in the file is replaced when the new one is whole.

    Raises:
        InputError: the file is there and is something else.
        OSError: the disk.
    """
    if path.exists():
        found = _load_json(path)
        if isinstance(found, _Refusal) or MARK not in found:
            raise InputError(f"{path} is there and is no conversation; give another name")
    text = json.dumps(_describe(chat), ensure_ascii=False, indent=1) + "\n"
    number, draft = tempfile.mkstemp(
        prefix=f".{path.name}.", dir=path.parent
    )  # readable by us only
    try:
        with os.fdopen(number, "w", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise


def load_conversation(path: Path) -> Saved:
    """Read a file that `save_conversation` wrote.

    Raises:
        InputError: there is no such file.
        MessageError: it is no conversation, or damaged; says where.
    """
    if not path.is_file():
        raise InputError(f"{path} is no file; give one that /save has written")
    found = _load_json(path)
    if isinstance(found, _Refusal):
        raise MessageError(f"{path} is no conversation: {found.reason}; give one that /save wrote")
    return read_saved(found, str(path))


def _load_json(path: Path) -> "Mapping[str, Any] | _Refusal":
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            return _Refusal(reason=f"it has {size:,} bytes, more than {_MAX_BYTES:,}")
        data = json.loads(path.read_text(encoding="utf-8", errors="surrogatepass"))
    except OSError as error:
        return _Refusal(reason=f"it cannot be read ({error.strerror})")
    except (ValueError, RecursionError) as error:
        return _Refusal(reason=f"it is no JSON ({' '.join(str(error).split())[:80]})")
    return data if isinstance(data, dict) else _Refusal(reason="it is no JSON object")


def _describe(chat: ChatSession) -> dict[str, Any]:
    return {
        MARK: VERSION,
        "model": chat.llm.info.name,
        "system": chat.system,
        "thinking": None if chat.thinking is None else chat.thinking.word,
        "options": {key: format_setting(key, value) for key, value in chat.options.items()},
        "exchanges": [
            {
                "user": [_describe_part(part) for part in exchange.user.content],
                "answer": exchange.answer.text,
                "thought": exchange.answer.thought,
                "finish_reason": exchange.finish_reason,
                **({"between": _describe_between(exchange.between)} if exchange.between else {}),
            }
            for exchange in chat.exchanges
        ],
    }


def _describe_between(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Calls of tools and their answers; the one that an answer belongs to is named by its id."""
    return [
        {"id": one.tool_call_id, "content": [_describe_part(part) for part in one.content]}
        if one.role == "tool"
        else {
            "text": one.text,
            "thought": one.thought,
            "calls": [
                {"id": call.id, "name": call.name, "arguments": dict(call.arguments)}
                for call in one.tool_calls
            ],
        }
        for one in messages
    ]


def _describe_part(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image() | Audio() | Video():
            return {"type": type(part).__name__.lower(), "source": _describe_source(part.source)}


def _describe_source(source: str | Path | bytes) -> str:
    """A path that holds from any folder, or a data: URL."""
    if isinstance(source, bytes):
        return f"data:application/octet-stream;base64,{base64.b64encode(source).decode()}"
    if isinstance(source, str) and source[:5].lower() == "data:":
        return source
    return str(Path(source).expanduser().absolute())
