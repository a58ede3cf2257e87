"""A chat answer as one object: the fold of its events."""

from dataclasses import dataclass, field
from typing import Any

from ...llm.events import ContentDelta, Event, Finished, ThoughtDelta, TokenLogprob, ToolCallEvent
from ...text.messages import ToolCall
from ...text.tokens.tokenizer import Tokenizer
from ..desk import Answers
from .chat_answer import ChatAnswer, call_fields, function_fields
from .logprobs import chat_logprobs
from .usage import done_by, timings_of, usage_of


async def whole_chat(answers: Answers, *, legacy: bool = False) -> dict[str, Any]:
    """A `chat.completion`."""
    answer = ChatAnswer(model=answers.served.id, legacy=legacy)
    choices = [_Choice() for _ in answers.streams]
    async for index, item in answers:
        if isinstance(item, Event):
            choices[index].take(item)
    tokenizer, finished = answers.served.llm.tokenizer, [one.end for one in choices]
    return {
        **answer.head("chat.completion"),
        "choices": [
            {"index": index, **choice.fields(answer, tokenizer)}
            for index, choice in enumerate(choices)
        ],
        "usage": usage_of(finished),
        "timings": timings_of(finished[0]),
        "gemma4": done_by(finished, *answer.unheard(len(choices[0].calls))),
    }


@dataclass(slots=True)
class _Choice:
    text: str = ""
    thought: str = ""
    calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    finished: Finished | None = None

    @property
    def end(self) -> Finished:
        """The last event, which every answer has that did not fail."""
        assert self.finished is not None
        return self.finished

    def take(self, item: Event) -> None:
        match item:
            case ContentDelta():
                self.text += item.text
                self.logprobs += item.logprobs
            case ThoughtDelta():
                self.thought += item.text
            case ToolCallEvent():
                self.calls.append(item.call)
            case Finished():
                self.finished = item

    def fields(self, answer: ChatAnswer, tokenizer: Tokenizer) -> dict[str, Any]:
        wanted = self.end.logprobs is not None
        return {
            "message": self._message(answer),
            "logprobs": chat_logprobs(self.logprobs, tokenizer) if wanted else None,
            "finish_reason": answer.finish_reason(self.end),
        }

    def _message(self, answer: ChatAnswer) -> dict[str, Any]:
        """Words are null beside calls where there are none; keys that would be empty are left out."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": self.text or (None if self.calls else ""),
            "refusal": None,
            "annotations": [],
        }
        if self.thought:
            message["reasoning_content"] = self.thought
        if self.calls and answer.legacy:
            message["function_call"] = function_fields(self.calls[0])
        elif self.calls:
            message["tool_calls"] = [call_fields(call) for call in self.calls]
        return message
