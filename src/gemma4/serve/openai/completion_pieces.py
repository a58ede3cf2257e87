"""Answers to a completion piece by piece, with what is echoed of the prompt: the stream, and its fold."""

import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from ...llm.events import ContentDelta, Finished, TokenLogprob
from ...llm.question import Continuation
from ...llm.reading import token_logprobs
from ...llm.worker import PrefillProgress
from ..answers import Item, Quiet
from ..desk import Answers
from ..errors import error_event
from ..on_worker import each_on_worker
from .logprobs import TextLogprobs
from .server_events import DONE, PING, event, progress
from .usage import FINISH_REASONS, done_by, timings_of, usage_of


@dataclass(slots=True)
class Completions:
    """The answers to one request.

    Args:
        echo: give the prompt back before each answer. logprobs: how many of the likeliest; None: none.
        num_prompts: among which the answers are shared out evenly, in order.
        with_bos: the prompts came as words, and `<bos>` was set before them.
    """

    answers: Answers
    echo: bool
    logprobs: int | None
    num_prompts: int
    with_bos: bool
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))
    finished: dict[int, Finished] = field(default_factory=dict)
    _places: list[TextLogprobs] = field(default_factory=list)

    async def chunks(self, *, include_usage: bool) -> AsyncIterator[bytes]:
        """The bytes of a stream, to its `[DONE]`; an error in the middle is told and ends it."""
        usage = {"usage": None} if include_usage else {}
        try:
            for index in range(len(self.answers.streams)):
                if self.echo:
                    yield event({**self._body([await self._echoed(index)]), **usage})
            async for index, item in self.answers:
                match item:
                    case Quiet():
                        yield PING
                    case PrefillProgress():
                        yield progress(item)
                    case _:
                        yield event({**self._body([self._choice(index, item)]), **usage})
            if include_usage:
                yield event(self._body([], with_usage=True))
        except Exception as error:  # the status line has gone out: the stream itself must say it
            yield error_event(error)
        finally:
            await self.answers.aclose()
        yield DONE

    async def whole(self) -> dict[str, Any]:
        """The pieces of each answer put together."""
        numbers = range(len(self.answers.streams))
        choices = [
            await self._echoed(index) if self.echo else self._piece(index, "", ())
            for index in numbers
        ]
        async for index, item in self.answers:
            if isinstance(item, ContentDelta | Finished):
                _extend(choices[index], self._choice(index, item))
        return self._body(choices, with_usage=True)

    def _choice(self, index: int, item: Item) -> dict[str, Any]:
        if isinstance(item, Finished):
            self.finished[index] = item
            reason = FINISH_REASONS[item.finish_reason]
            return {**self._piece(index, "", ()), "finish_reason": reason}
        assert isinstance(item, ContentDelta), "a continuation has neither thoughts nor calls"
        return self._piece(index, item.text, item.logprobs)

    def _piece(
        self, index: int, text: str, tokens: tuple[TokenLogprob | tuple[int, str], ...]
    ) -> dict[str, Any]:
        if not self._places:
            self._places = [TextLogprobs() for _ in self.answers.streams]
        scores = None if self.logprobs is None else self._places[index].of(tokens)
        return {"index": index, "text": text, "logprobs": scores, "finish_reason": None}

    async def _echoed(self, index: int) -> dict[str, Any]:
        """The prompt, and how likely each of its tokens was; `<bos>` that we set is not the client's."""
        asked = self.answers.asked[index]
        assert isinstance(asked, Continuation)
        assert asked.ids is not None
        tokenizer, top = self.answers.served.llm.tokenizer, self.logprobs
        text = tokenizer.decode(asked.ids[self.with_bos :])
        if top is None:
            return self._piece(index, text, ())
        steps = token_logprobs(self.answers.served.llm, asked.ids, top=top)
        scored = [
            one
            async for found in each_on_worker(self.answers.served.worker, steps)
            for one in found
        ]
        first = () if self.with_bos else ((asked.ids[0], tokenizer.decode(asked.ids[:1])),)
        return self._piece(index, text, (*first, *scored))

    def _body(self, choices: list[dict[str, Any]], *, with_usage: bool = False) -> dict[str, Any]:
        body: dict[str, Any] = {
            "id": self.id,
            "object": "text_completion",
            "created": self.created,
            "model": self.answers.served.id,
            "system_fingerprint": None,
            "choices": choices,
        }
        if with_usage:
            finished = [self.finished[index] for index in sorted(self.finished)]
            body["usage"] = usage_of(finished, num_prompts=self.num_prompts)
            body["timings"] = timings_of(finished[0])
            body["gemma4"] = done_by(finished)
        return body


def _extend(choice: dict[str, Any], piece: dict[str, Any]) -> None:
    choice["text"] += piece["text"]
    choice["finish_reason"] = piece["finish_reason"]
    for name, values in (piece["logprobs"] or {}).items():
        choice["logprobs"][name] += values
