"""What is noted of one request while it is served: for the log, the metrics, and the answer's headers."""

import secrets
import time
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from ..llm.events import ContentDelta, Finished, ThoughtDelta, ToolCallEvent
from ..llm.stream import Facts
from ..llm.worker import PrefillProgress
from .metrics import Metrics

_KEY = "gemma4.record"


@dataclass(slots=True)
class Record:
    """One request.

    Attributes:
        id: given to the client as `x-gemma4-request-id`.
        started: on the clock of `time.perf_counter`.
        prompt_tokens, cached_tokens, completion_tokens: of all its answers; the prompt counts once.
        first_token: seconds from its start. finish: why each answer ended.
        prompt, answer: what was asked and said, where the log has it.
    """

    id: str = field(default_factory=lambda: f"req-{secrets.token_hex(8)}")
    started: float = field(default_factory=time.perf_counter)
    metrics: Metrics | None = None
    keeps_text: bool = False
    model: str | None = None
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    first_token: float | None = None
    finish: list[str] = field(default_factory=list)
    error: str | None = None
    prompt: str | None = None
    answer: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    last_piece: dict[int, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Since its start."""
        return time.perf_counter() - self.started

    @property
    def computed_tokens(self) -> int:
        """Tokens that took work."""
        return self.prompt_tokens - self.cached_tokens + self.completion_tokens

    def accept(self, model: str, facts: Facts, prompt_tokens: int, cached_tokens: int) -> None:
        """A model has begun with it."""
        self.model = model
        self.prompt_tokens, self.cached_tokens = prompt_tokens, cached_tokens
        known = {
            "model": model,
            "template": facts.template,
            "device": facts.device,
            "kernels": facts.kernels,
            "cached-tokens": str(cached_tokens),
        }
        self.headers = {f"x-gemma4-{name}": text for name, text in known.items() if text}

    def note(self, index: int, item: object) -> None:
        """A piece of the answer of this number came."""
        match item:
            case PrefillProgress():
                return
            case Finished():
                self._finished(item)
            case ContentDelta() | ThoughtDelta() | ToolCallEvent():
                self._piece(index)
                if self.keeps_text:
                    said = str(item.call) if isinstance(item, ToolCallEvent) else item.text
                    self.answer += said

    def _piece(self, index: int) -> None:
        now = time.perf_counter()
        before = self.last_piece.get(index)
        self.last_piece[index] = now
        if self.first_token is None:
            self.first_token = now - self.started
            if self.metrics is not None and self.model is not None:
                self.metrics.first_token(self.model, self.first_token)
        elif before is not None and self.metrics is not None and self.model is not None:
            self.metrics.next_token(self.model, now - before)

    def _finished(self, last: Finished) -> None:
        usage = last.usage
        self.prompt_tokens, self.cached_tokens = usage.prompt_tokens, usage.cached_tokens
        self.completion_tokens += usage.completion_tokens
        self.finish.append(last.finish_reason)
        if self.metrics is not None and self.model is not None:
            self.metrics.finished(self.model, last, self.seconds, first=len(self.finish) == 1)


def put_record(scope: MutableMapping[str, Any], record: Record) -> None:
    """Let whoever serves this request find it."""
    scope["state"] = {**scope.get("state", {}), _KEY: record}


def record_of(scope: MutableMapping[str, Any]) -> Record:
    """A request's record; one that nobody reads, for an application without the account."""
    found = scope.get("state", {}).get(_KEY)
    return found if isinstance(found, Record) else Record()
