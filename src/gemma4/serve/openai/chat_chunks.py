"""A chat answer in OpenAI's form: as chunks of a stream, or folded into one object."""

import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ...llm.events import ContentDelta, Finished, ThoughtDelta, ToolCallEvent
from ...text.messages import ToolCall
from ..answers import Quiet
from ..desk import Answers
from ..errors import error_event
from .usage import FINISH_REASONS, done_of, logprobs_of, timings_of, usage_of

DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


@dataclass(slots=True)
class ChatAnswer:
    """What all chunks of an answer share."""

    model: str
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self, kind: str) -> dict[str, Any]:
        """Its first fields."""
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": None,
        }


async def chat_chunks(answers: Answers, *, include_usage: bool) -> AsyncIterator[bytes]:
    """The bytes of a stream, to its `[DONE]`; an error in the middle is told and ends it."""
    answer = ChatAnswer(model=answers.served.id)
    finished: dict[int, Finished] = {}
    calls = [0] * len(answers.streams)
    usage = {"usage": None} if include_usage else {}
    try:
        for index in range(len(calls)):
            yield _chunk(answer, index, {"role": "assistant", "content": ""}, **usage)
        async for index, item in answers:
            match item:
                case ContentDelta():
                    yield _chunk(answer, index, {"content": item.text}, **usage)
                case ThoughtDelta():
                    yield _chunk(answer, index, {"reasoning_content": item.text}, **usage)
                case ToolCallEvent():
                    call = {"index": calls[index], **call_fields(item.call)}
                    calls[index] += 1
                    yield _chunk(answer, index, {"tool_calls": [call]}, **usage)
                case Finished():
                    finished[index] = item
                    yield _chunk(answer, index, {}, finished=item, **usage)
                case Quiet():
                    yield PING
        if include_usage:
            last = finished[0]
            body = {
                **answer.head("chat.completion.chunk"),
                "choices": [],
                "usage": usage_of(list(finished.values())),
                "timings": timings_of(last),
                "gemma4": done_of(last),
            }
            yield _event(body)
        yield DONE
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield error_event(error)
    finally:
        await answers.aclose()


async def whole_chat(answers: Answers) -> dict[str, Any]:
    """The answer as one object."""
    answer = ChatAnswer(model=answers.served.id)
    messages: list[dict[str, Any]] = [_empty_message() for _ in answers.streams]
    finished: dict[int, Finished] = {}
    async for index, item in answers:
        message = messages[index]
        match item:
            case ContentDelta():
                message["content"] = (message["content"] or "") + item.text
            case ThoughtDelta():
                message["reasoning_content"] = message.get("reasoning_content", "") + item.text
            case ToolCallEvent():
                message.setdefault("tool_calls", []).append(call_fields(item.call))
            case Finished():
                finished[index] = item
    for message in messages:
        if message["content"] is None and "tool_calls" not in message:
            message["content"] = ""
    return {
        **answer.head("chat.completion"),
        "choices": [
            {
                "index": index,
                "message": message,
                "logprobs": logprobs_of(finished[index].logprobs),
                "finish_reason": FINISH_REASONS[finished[index].finish_reason],
            }
            for index, message in enumerate(messages)
        ],
        "usage": usage_of([finished[index] for index in sorted(finished)]),
        "timings": timings_of(finished[0]),
        "gemma4": done_of(finished[0]),
    }


def call_fields(call: ToolCall) -> dict[str, Any]:
    """A call, its arguments as JSON text; no argument is `{}`."""
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }


def _empty_message() -> dict[str, Any]:
    return {"role": "assistant", "content": None, "refusal": None, "annotations": []}


def _chunk(
    answer: ChatAnswer,
    index: int,
    delta: dict[str, Any],
    finished: Finished | None = None,
    **more: Any,
) -> bytes:
    reason = None if finished is None else FINISH_REASONS[finished.finish_reason]
    logprobs = None if finished is None else logprobs_of(finished.logprobs)
    choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
    return _event({**answer.head("chat.completion.chunk"), "choices": [choice], **more})


def _event(body: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(body, ensure_ascii=False).encode() + b"\n\n"
