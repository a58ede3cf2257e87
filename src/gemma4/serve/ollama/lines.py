"""An answer in Ollama's form: a JSON object on each line, or all of it in one.

    {"model", "created_at", "message" or "response", "done": false} … {…, "done": true, "done_reason", …}

The last line has counts and durations in nanoseconds, and in `gemma4` what was really done.
"""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from ...llm.events import ContentDelta, Finished, ThoughtDelta, TokenLogprob, ToolCallEvent
from ...text.messages import ToolCall
from ..answers import Quiet
from ..desk import Answers
from ..errors import ollama_error, problem_of
from ..openai.usage import done_of

NDJSON = "application/x-ndjson"
_NANOSECONDS = 10**9
_REASONS = {"length": "length", "loop": "length"}  # a call ends with stop, as Ollama has it


def now() -> str:
    """This moment, as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, kw_only=True, slots=True)
class Piece:
    """A part of an answer, or all of it."""

    content: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()


def chat_fields(piece: Piece) -> dict[str, Any]:
    """A piece as `/api/chat` has it; arguments of calls are an object."""
    message: dict[str, Any] = {"role": "assistant", "content": piece.content}
    if piece.thinking:
        message["thinking"] = piece.thinking
    if piece.calls:
        message["tool_calls"] = [
            {"id": call.id, "function": {"name": call.name, "arguments": dict(call.arguments)}}
            for call in piece.calls
        ]
    return {"message": message}


def generate_fields(piece: Piece) -> dict[str, Any]:
    """A piece as `/api/generate` has it."""
    thinking = {"thinking": piece.thinking} if piece.thinking else {}
    return {"response": piece.content, **thinking}


@dataclass(kw_only=True, slots=True)
class Form:
    """How one answer is written.

    Attributes:
        model: as the client called it.
        fields: of a piece, by the route's own form.
        context_after: ids of prompt and answer, from the answer's words; None where none are returned.
        started: when the request came. accepted: when the engine had it.
    """

    model: str
    fields: Callable[[Piece], dict[str, Any]]
    context_after: Callable[[str], list[int] | None] | None = None
    started: float = field(default_factory=perf_counter)
    accepted: float = 0.0

    def line(self, piece: Piece, **more: Any) -> dict[str, Any]:
        """One object."""
        head = {"model": self.model, "created_at": now()}
        return {**head, **self.fields(piece), "done": False, **more}

    def last(self, piece: Piece, finished: Finished, *, words: str) -> dict[str, Any]:
        """The object that ends an answer, whose words were these."""
        context = self.context_after(words) if self.context_after is not None else None
        return self.line(
            piece,
            done=True,
            done_reason=_REASONS.get(finished.finish_reason, "stop"),
            **({} if context is None else {"context": context}),
            **self._durations(finished),
            **_logprobs(finished.logprobs),
            gemma4=done_of(finished),
        )

    def _durations(self, finished: Finished) -> dict[str, int]:
        """Waiting for the model, its loading and the template's work are `load_duration`."""
        usage, timings = finished.usage, finished.timings
        return {
            "total_duration": _nanoseconds(perf_counter() - self.started),
            "load_duration": _nanoseconds(self.accepted - self.started),
            "prompt_eval_count": usage.prompt_tokens,
            "prompt_eval_duration": _nanoseconds(timings.prefill),
            "eval_count": usage.completion_tokens,
            "eval_duration": _nanoseconds(timings.decode),
        }


async def answer_lines(answers: Answers, form: Form) -> AsyncIterator[bytes]:
    """The bytes of a stream; an error in the middle is its last line."""
    words = ""
    try:
        async for _, item in answers:
            match item:
                case ContentDelta():
                    words += item.text
                    yield encoded(form.line(Piece(content=item.text)))
                case ThoughtDelta():
                    yield encoded(form.line(Piece(thinking=item.text)))
                case ToolCallEvent():
                    yield encoded(form.line(Piece(calls=(item.call,))))
                case Quiet():  # clients read every line as JSON: a piece of nothing is a sign of life
                    yield encoded(form.line(Piece()))
                case Finished():
                    yield encoded(form.last(Piece(), item, words=words))
    except Exception as error:  # the status line has gone out: the stream itself must say it
        yield encoded(ollama_error(problem_of(error)))
    finally:
        await answers.aclose()


async def whole_answer(answers: Answers, form: Form) -> dict[str, Any]:
    """The answer as one object."""
    content, thinking, calls = "", "", []
    async for _, item in answers:
        match item:
            case ContentDelta():
                content += item.text
            case ThoughtDelta():
                thinking += item.text
            case ToolCallEvent():
                calls.append(item.call)
            case Finished():
                piece = Piece(content=content, thinking=thinking, calls=tuple(calls))
                return form.last(piece, item, words=content)
    raise AssertionError("a stream ends with Finished")


def encoded(line: dict[str, Any]) -> bytes:
    """An object as a line."""
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


def _nanoseconds(seconds: float) -> int:
    return round(max(seconds, 0.0) * _NANOSECONDS)


def _logprobs(tokens: Sequence[TokenLogprob] | None) -> dict[str, Any]:
    """Of all tokens at once, where they were asked for."""
    if tokens is None:
        return {}
    found = [
        {
            **_scored(one.text, one.logprob),
            "top_logprobs": [_scored(text, score) for _, text, score in one.top],
        }
        for one in tokens
    ]
    return {"logprobs": found}


def _scored(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(text.encode())}
