"""The log: one line of JSON for each request. Not a word of what was asked, unless told to."""

import json
import logging
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final

from .record import Record

_MAX_BYTES: Final = 16 * 2**20
_KEPT: Final = 3


class JsonLines(logging.Formatter):
    """A record's message is a mapping; its time and level come first."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        fields = record.msg if isinstance(record.msg, dict) else {"message": record.getMessage()}
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        head = {"time": moment, "level": record.levelname.lower()}
        return json.dumps(head | fields, ensure_ascii=False, default=str)


def make_journal(path: Path | None) -> logging.Logger:
    """A log into a file that stays below 64 MiB, or into nothing. A value of its own, in no registry."""
    journal = logging.Logger("gemma4.serve", level=logging.INFO)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=_MAX_BYTES, backupCount=_KEPT)
        handler.setFormatter(JsonLines())
        journal.addHandler(handler)
    return journal


def close_journal(journal: logging.Logger) -> None:
    """Nothing more is written."""
    for handler in tuple(journal.handlers):
        journal.removeHandler(handler)
        handler.close()


def request_line(record: Record, *, method: str, route: str, status: int) -> dict[str, Any]:
    """What the log says of a request; what does not apply is left out."""
    line: dict[str, Any] = {
        "id": record.id,
        "method": method,
        "route": route,
        "status": status,
        "seconds": round(record.seconds, 4),
    }
    if record.model is not None:
        line |= {
            "model": record.model,
            "prompt_tokens": record.prompt_tokens,
            "cached_tokens": record.cached_tokens,
            "completion_tokens": record.completion_tokens,
            "finish": ",".join(record.finish) or "cancelled",
        }
    if record.first_token is not None:
        line["first_token_seconds"] = round(record.first_token, 4)
    if record.error is not None:
        line["error"] = record.error
    if record.keeps_text and record.prompt is not None:
        line |= {"prompt": record.prompt, "answer": record.answer}
    return line
