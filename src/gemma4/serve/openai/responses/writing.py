"""An answer as the events of Responses; the response itself is what they amount to.

created, in_progress → (output_item.added, …, output_item.done) … → completed, incomplete or failed
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from ....llm.events import ContentDelta, Event, Finished, ThoughtDelta, ToolCallEvent
from ....text.messages import ToolCall
from ....text.tokens.tokenizer import Tokenizer
from ...errors import problem_of
from ..logprobs import chat_logprobs
from ..usage import done_of, timings_of
from .items import CallItem, MessageItem, ReasoningItem, Told
from .offered import CallForm

OpenItem = MessageItem | ReasoningItem


class ResponseWriter:
    """Turns events of an answer into events of the protocol.

    Args:
        head: the response before anything was said; it is written on.
        tokenizer: knows the bytes of tokens.
        forms: how calls go back, by the name that the model uses.
        as_summary, seals: see `ReasoningItem`.

    Attributes:
        response: as far as it has come.
    """

    def __init__(
        self,
        head: dict[str, Any],
        *,
        tokenizer: Tokenizer,
        forms: Mapping[str, CallForm],
        as_summary: bool = False,
        seals: bool = False,
    ) -> None:
        self.response = head
        self._tokenizer = tokenizer
        self._forms = forms
        self._as_summary = as_summary
        self._seals = seals
        self._open: OpenItem | None = None
        self._sequence = 0

    @property
    def is_over(self) -> bool:
        """Whether it was made, to its end or to its limit."""
        return self.response["status"] in ("completed", "incomplete")

    def queue(self) -> Iterator[dict[str, Any]]:
        """It was accepted and nobody waits for it."""
        self.response["status"] = "queued"
        yield self._lifecycle("created")
        yield self._lifecycle("queued")

    def begin(self) -> Iterator[dict[str, Any]]:
        """It begins."""
        was_queued = self.response["status"] == "queued"
        self.response["status"] = "in_progress"
        if not was_queued:
            yield self._lifecycle("created")
        yield self._lifecycle("in_progress")

    def take(self, event: Event) -> Iterator[dict[str, Any]]:
        """What an event becomes."""
        match event:
            case ThoughtDelta():
                yield from self._grown(ReasoningItem, event.text)
            case ContentDelta():
                yield from self._grown(MessageItem, event.text)
            case ToolCallEvent():
                yield from self._call(event.call)
            case Finished():
                yield from self._finish(event)

    def fail(self, error: Exception) -> Iterator[dict[str, Any]]:
        """It came to nothing; what was said stays."""
        problem = problem_of(error)
        code = "server_error" if problem.status >= 500 else "invalid_prompt"
        yield from self._closed("incomplete")
        error_fields = {"code": code, "message": problem.message}
        self.response |= {"status": "failed", "error": error_fields}
        yield self._lifecycle("failed")

    def cancel(self) -> None:
        """Nobody wants it any more."""
        for _ in self._closed("incomplete"):  # what was being said is kept as it is
            pass
        self.response["status"] = "cancelled"

    def _finish(self, finished: Finished) -> Iterator[dict[str, Any]]:
        is_cut = finished.finish_reason in ("length", "loop")
        status = "incomplete" if is_cut else "completed"
        scores = chat_logprobs(finished.logprobs or (), self._tokenizer)
        yield from self._closed(status, scores["content"])
        self.response |= {
            "status": status,
            "completed_at": None if is_cut else int(time.time()),
            "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
            "temperature": finished.sampling.temperature,
            "top_p": finished.sampling.top_p,
            "usage": _usage(finished),
            "timings": timings_of(finished),
            "gemma4": done_of(finished),
        }
        yield self._lifecycle(status)

    def _grown(
        self, kind: type[MessageItem] | type[ReasoningItem], text: str
    ) -> Iterator[dict[str, Any]]:
        if not isinstance(self._open, kind):
            yield from self._closed("completed")
            self._open = self._new(kind)
            yield self._added(self._open.item)
            for told in self._open.open():
                yield self._of_item(told, self._open.item)
        assert self._open is not None
        yield self._of_item(self._open.add(text), self._open.item)

    def _new(self, kind: type[MessageItem] | type[ReasoningItem]) -> OpenItem:
        if kind is MessageItem:
            return MessageItem()
        return ReasoningItem(as_summary=self._as_summary, seals=self._seals)

    def _closed(
        self, status: str, logprobs: list[dict[str, Any]] | None = None
    ) -> Iterator[dict[str, Any]]:
        if self._open is None:
            return
        growing, self._open = self._open, None
        for told in growing.close(status, logprobs or []):
            yield self._of_item(told, growing.item)
        yield self._done(growing.item)

    def _call(self, call: ToolCall) -> Iterator[dict[str, Any]]:
        yield from self._closed("completed")
        calling = CallItem(call, self._forms.get(call.name) or CallForm(name=call.name))
        yield self._added(calling.item)
        for told in calling.tell():
            yield self._of_item(told, calling.item)
        yield self._done(calling.item)

    def _added(self, item: dict[str, Any]) -> dict[str, Any]:
        return self._event("output_item.added", output_index=self._place, item=dict(item))

    def _done(self, item: dict[str, Any]) -> dict[str, Any]:
        event = self._event("output_item.done", output_index=self._place, item=item)
        self.response["output"].append(item)
        return event

    def _of_item(self, told: Told, item: dict[str, Any]) -> dict[str, Any]:
        name, fields = told
        return self._event(name, item_id=item["id"], output_index=self._place, **fields)

    @property
    def _place(self) -> int:
        return len(self.response["output"])

    def _lifecycle(self, name: str) -> dict[str, Any]:
        snapshot = {**self.response, "output": list(self.response["output"])}
        return self._event(name, response=snapshot)

    def _event(self, name: str, /, **fields: Any) -> dict[str, Any]:
        self._sequence += 1
        return {"type": f"response.{name}", "sequence_number": self._sequence - 1, **fields}


def _usage(finished: Finished) -> dict[str, Any]:
    usage = finished.usage
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {"cached_tokens": usage.cached_tokens, "cache_write_tokens": 0},
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.thought_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
