"""A stand-in for a loaded model that says what the test wrote down, with the same methods."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from gemma4.engine.sampling import Sampling
from gemma4.grammar.formats import Format
from gemma4.llm.events import (
    ContentDelta,
    Event,
    Finished,
    FinishReason,
    ThoughtDelta,
    Timings,
    ToolCallEvent,
    Usage,
)
from gemma4.llm.llm import ModelInfo
from gemma4.llm.options import effective
from gemma4.llm.question import ToolChoice
from gemma4.media.types import MediaUsage
from gemma4.text.messages import Message, Tool, ToolCall


@dataclass(frozen=True)
class Reply:
    """One answer: its pieces; then an error instead of the end, if there is one."""

    pieces: Sequence[str] = ("Hello", " there", ".")
    thought: Sequence[str] = ()
    calls: Sequence[ToolCall] = ()
    reason: FinishReason = "stop"
    detail: str | None = None
    warnings: tuple[str, ...] = ()
    error: BaseException | None = None
    media: tuple[MediaUsage, ...] = ()


@dataclass
class ScriptedLLM:
    """Answers with `replies`, one after the other; `asked` records what it was given."""

    replies: list[Reply] = field(default_factory=list)
    is_chat_model: bool = True
    modalities: tuple[str, ...] = ("text", "image", "video", "audio")
    notes: tuple[str, ...] = ()
    name: str = "scripted"
    cached_tokens: int = 0
    defaults: Sampling = field(default_factory=lambda: Sampling(top_k=64, top_p=0.95))
    template: SimpleNamespace = field(
        default_factory=lambda: SimpleNamespace(wants_tool_responses=False)
    )
    asked: list[dict[str, Any]] = field(default_factory=list)

    @property
    def info(self) -> ModelInfo:
        return ModelInfo(
            name=self.name,
            family="gemma4",
            device="cpu",
            dtype="float32",
            modalities=self.modalities,
            context=8192,
            kv_tokens=8192,
            max_requests=1,
            kv_dtype="float32",
            kv_bytes=2**20,
            template="small.2026-07@3beb16a140a7",
            template_came_along=True,
            load_seconds=1.5,
            notes=self.notes,
        )

    def stream(
        self,
        conversation: Sequence[Message],
        *,
        format: Format | None = None,
        tools: Sequence[Tool] = (),
        tool_choice: ToolChoice | None = None,
        thinking: bool = False,
        thought_budget: int | None = None,
        image_budget: int | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Iterator[Event]:
        given = {"tools": tuple(tools), "tool_choice": tool_choice} if tools else {}
        self.asked.append(
            given
            | {
                "messages": tuple(conversation),
                "thinking": thinking,
                "thought_budget": thought_budget,
                "format": format,
                "image_budget": image_budget,
                "options": options,
            }
        )
        return self._run(thinking, "small.2026-07@3beb16a140a7", on_prefill, options)

    def stream_text(
        self,
        prompt: str,
        *,
        format: Format | None = None,
        on_prefill: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Iterator[Event]:
        self.asked.append({"prompt": prompt, "options": options, "format": format})
        return self._run(False, None, on_prefill, options)

    def _run(
        self,
        thinking: bool,
        template: str | None,
        on_prefill: Callable[[int, int], None] | None,
        options: dict[str, Any],
    ) -> Iterator[Event]:
        reply = self.replies.pop(0) if self.replies else Reply()
        sampling = effective(self.defaults, options)
        if on_prefill is not None:
            on_prefill(6, 12)
            on_prefill(12, 12)
        yield from map(ThoughtDelta, reply.thought)
        yield from map(ContentDelta, reply.pieces)
        yield from map(ToolCallEvent, reply.calls)
        if reply.error is not None:
            raise reply.error
        yield Finished(
            finish_reason=reply.reason,
            finish_detail=reply.detail,
            usage=Usage(
                prompt_tokens=12,
                cached_tokens=self.cached_tokens,
                completion_tokens=len(reply.thought) + len(reply.pieces),
                thought_tokens=len(reply.thought),
                media=reply.media,
            ),
            timings=Timings(load=1.5, media=0.25, prefill=0.5, decode=2.0),
            sampling=sampling,
            thinking=thinking,
            template=template,
            model=self.name,
            device="cpu",
            dtype="float32",
            kernels="torch",
            warnings=reply.warnings,
        )
