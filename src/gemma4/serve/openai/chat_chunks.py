"""A chat answer as chunks of a stream.

{"role"} for each answer → pieces, each of one kind: thought, content or call → finish → usage → [DONE]
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from ...llm.events import ContentDelta, Event, Finished, ThoughtDelta
from ...llm.worker import PrefillProgress
from ..answers import Quiet
from ..desk import Answers
from ..errors import error_event
from .chat_answer import ChatAnswer, call_fields, function_fields
from .logprobs import chat_logprobs
from .server_events import DONE, PING, event, progress
from .usage import done_by, timings_of, usage_of


async def chat_chunks(
    answers: Answers, *, include_usage: bool, legacy: bool = False
) -> AsyncIterator[bytes]:
    """The bytes of a stream, to its `[DONE]`; an error in the middle is told and ends it."""
    chunks = _Chunks(answers, include_usage=include_usage, legacy=legacy)
    try:
        for index in range(len(answers.streams)):
            yield chunks.chunk(index, {"role": "assistant", "content": ""})
        async for index, item in answers:
            match item:
                case Quiet():
                    yield PING
                case PrefillProgress():
                    yield progress(item)
                case _:
                    if piece := chunks.take(index, item):
                        yield piece
        if include_usage:
            yield chunks.last()
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield error_event(error)
    finally:
        await answers.aclose()
    yield DONE


class _Chunks:
    """Events in, chunks out."""

    def __init__(self, answers: Answers, *, include_usage: bool, legacy: bool) -> None:
        self._answer = ChatAnswer(model=answers.served.id, legacy=legacy)
        self._tokenizer = answers.served.llm.tokenizer
        self._usage = {"usage": None} if include_usage else {}
        self._calls: Counter[int] = Counter()
        self._finished: dict[int, Finished] = {}

    def take(self, index: int, item: Event) -> bytes | None:
        """The chunk of an event; None where the client's protocol has no room for it."""
        match item:
            case ContentDelta():
                scores = chat_logprobs(item.logprobs, self._tokenizer) if item.logprobs else None
                return self.chunk(index, {"content": item.text}, logprobs=scores)
            case ThoughtDelta():
                return self.chunk(index, {"reasoning_content": item.text})
            case Finished():
                self._finished[index] = item
                return self.chunk(index, {}, reason=self._answer.finish_reason(item))
        number = self._calls[index]
        self._calls[index] += 1
        if self._answer.legacy:
            delta = {"function_call": function_fields(item.call)}
            return None if number else self.chunk(index, delta)
        return self.chunk(index, {"tool_calls": [{"index": number, **call_fields(item.call)}]})

    def chunk(
        self,
        index: int,
        delta: dict[str, Any],
        *,
        logprobs: dict[str, Any] | None = None,
        reason: str | None = None,
    ) -> bytes:
        """One chunk."""
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        head = self._answer.head("chat.completion.chunk")
        return event({**head, "choices": [choice], **self._usage})

    def last(self) -> bytes:
        """What was used and done; it has no choice."""
        finished = [self._finished[index] for index in sorted(self._finished)]
        return event(
            {
                **self._answer.head("chat.completion.chunk"),
                "choices": [],
                "usage": usage_of(finished),
                "timings": timings_of(finished[0]),
                "gemma4": done_by(finished, *self._answer.unheard(self._calls[0])),
            }
        )
