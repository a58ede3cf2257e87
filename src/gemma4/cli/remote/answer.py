"""Chunks of a remote answer → the events of an answer; what the server says of itself is kept."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from ...engine.sampling import Sampling
from ...errors import EnvironmentFault
from ...llm.events import (
    ContentDelta,
    Event,
    Finished,
    FinishReason,
    ThoughtDelta,
    Timings,
    ToolCallEvent,
    Usage,
)
from ...text.messages import ToolCall

_REASONS: Mapping[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
UNKNOWN = "unknown"


@dataclass(slots=True)
class RemoteReport:
    """What is known of a remote answer.

    Attributes:
        usage: as the server counts; None where it says nothing.
        done: what a server of ours says it did; empty for others.
        first, total: seconds to the first piece, and to the end, seen from here.
    """

    usage: Mapping[str, Any] | None = None
    done: Mapping[str, Any] = field(default_factory=dict)
    first: float = 0.0
    total: float = 0.0


@dataclass(slots=True)
class RemoteAnswer:
    """One answer while it is read.

    Args:
        model: that was asked. url: of the server. sampling: what was asked for.
    """

    model: str
    url: str
    sampling: Sampling
    thinking: bool
    report: RemoteReport = field(default_factory=RemoteReport)
    _reason: str | None = None
    _calls: dict[int, dict[str, str]] = field(default_factory=dict)
    _warnings: list[str] = field(default_factory=list)

    def events(self, chunks: Iterator[Mapping[str, Any]]) -> Iterator[Event]:
        """All events, to the last.

        Raises:
            EnvironmentFault: the server went away before the end.
        """
        started = perf_counter()
        for chunk in chunks:
            for event in self._read(chunk):
                if not self.report.first:
                    self.report.first = perf_counter() - started
                yield event
        self.report.total = perf_counter() - started
        self.report.first = self.report.first or self.report.total
        if self._reason is None:
            raise EnvironmentFault(f"{self.url} ended the answer without saying why; ask again")
        yield from self._called()
        yield self._finished()

    def _read(self, chunk: Mapping[str, Any]) -> Iterator[Event]:
        if isinstance(chunk.get("usage"), Mapping):
            self.report.usage = chunk["usage"]
        if isinstance(chunk.get("gemma4"), Mapping):
            self.report.done = chunk["gemma4"]
        choices = chunk.get("choices") or ()
        choice = choices[0] if choices and isinstance(choices[0], Mapping) else {}
        delta = choice.get("delta") or {}
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        if isinstance(thought, str) and thought:
            yield ThoughtDelta(thought)
        content = delta.get("content")
        if isinstance(content, str) and content:
            yield ContentDelta(content)
        for call in delta.get("tool_calls") or ():
            self._take_call(call)
        self._reason = choice.get("finish_reason") or self._reason

    def _take_call(self, call: Mapping[str, Any]) -> None:
        """A call comes in pieces: its name once, its arguments bit by bit."""
        whole = self._calls.setdefault(
            int(call.get("index") or 0), {"id": "", "name": "", "arguments": ""}
        )
        function = call.get("function") or {}
        whole["id"] = str(call.get("id") or whole["id"])
        whole["name"] = str(function.get("name") or whole["name"])
        whole["arguments"] += str(function.get("arguments") or "")

    def _called(self) -> Iterator[Event]:
        for index, call in sorted(self._calls.items()):
            try:
                arguments = json.loads(call["arguments"] or "{}")
            except ValueError:
                self._warnings.append(f"the arguments of {call['name']} are no JSON")
                arguments = {}
            id = call["id"] or f"call_{index}"
            yield ToolCallEvent(ToolCall(name=call["name"], arguments=arguments, id=id))

    def _finished(self) -> Finished:
        usage, done = self.report.usage or {}, self.report.done
        reason = _REASONS.get(str(self._reason), "stop")
        detail = done.get("finish_detail")
        if str(self._reason) not in _REASONS:
            self._warnings.append(f"the server ended the answer for {self._reason!r}")
        if reason == "length" and not detail:
            detail = "the server's limit of tokens was reached"
        return Finished(
            finish_reason=reason,
            finish_detail=detail,
            usage=Usage(
                prompt_tokens=_count(usage, "prompt_tokens"),
                cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens"),
                completion_tokens=_count(usage, "completion_tokens"),
                thought_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens"),
            ),
            timings=Timings(
                load=0.0,
                media=0.0,
                prefill=self.report.first,
                decode=self.report.total - self.report.first,
            ),
            sampling=self.sampling,
            thinking=bool(done.get("thinking", self.thinking)),
            template=done.get("template"),
            model=self.model,
            device=str(done.get("device", UNKNOWN)),
            dtype=str(done.get("dtype", UNKNOWN)),
            kernels=str(done.get("kernels", UNKNOWN)),
            warnings=(*map(str, done.get("warnings") or ()), *self._warnings),
        )


def _count(values: Any, key: str) -> int:
    found = values.get(key) if isinstance(values, Mapping) else None
    return found if isinstance(found, int) else 0
