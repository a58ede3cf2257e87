"""A loaded model that talks: conversations, completion, and raw logits."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Unpack

import torch
from torch import Tensor

from ..config import ModelConfig
from ..engine.encode import place_media
from ..engine.sampling import Sampling
from ..engine.soft_token_cache import SoftTokenCache
from ..engine.streams import Streams
from ..errors import ContextError, InputError
from ..grammar import AnswerRule, Format, Grammars, ToolMode
from ..kernels.native import Native
from ..media.types import Medium
from ..model.gemma4 import Gemma4
from ..model.kv import PassKV
from ..text.messages import Message, Tool
from ..text.prompt import completion_prompt
from ..text.reading.parse_messages import to_messages
from ..text.templates.template import Template
from ..text.tokens.tokenizer import Tokenizer
from ..text.tools.define import to_tools
from .conversation import ReadConversation, read_conversation
from .decoding import ChatDecoder, PlainDecoder
from .events import Answer, Event
from .fold import fold
from .options import SamplingOptions, effective
from .question import Continuation, Question, ToolChoice
from .stream import Facts, Prepared, Turn, stream_events

Conversation = str | Sequence[Message | Mapping[str, Any]]
Tools = Sequence[Tool | Mapping[str, Any] | Callable[..., object]]
OnPrefill = Callable[[int, int], None]
LOGIT_ROWS = 256  # rows of the vocabulary's width computed at a time


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelInfo:
    """What was loaded, and how.

    Attributes:
        kernels: an instruction set of the native kernels, `cuda`, or `torch`.
        threads: of the processor that compute.
        context: tokens that one request may have, its prompt and its answer together.
        kv_tokens: tokens of all requests together that there are pages for; requests that do not fit
            beside others wait for them.
        max_requests: how many run at once.
        kv_dtype: of keys and values. kv_bytes: that they may take, once all pages were used.
        template: revision of the chat template in use.
        template_came_along: False if our own renderer stands in for one.
        notes: what happened on the way that a user may want to know.
    """

    name: str
    family: str
    device: str
    dtype: str
    modalities: tuple[str, ...]
    context: int
    kv_tokens: int
    max_requests: int
    kv_dtype: str
    kv_bytes: int
    template: str
    template_came_along: bool
    load_seconds: float
    notes: tuple[str, ...]
    kernels: str = "torch"
    threads: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class LLM:
    """A model with its tokenizer, template and recommended settings. Make one with `gemma4.load`.

    Streams of one `LLM` may be read in turn, from one thread: their requests run together. What a
    conversation has in common with an earlier one is not computed again.

    Attributes:
        streams: the engine that runs requests.
        defaults: settings where a request gives none; from the checkpoint.
        stop_ids: ids that end an answer.
        is_chat_model: tuned for conversations; False for base models, which continue text.
        grammars: hold answers to a format or to tool calls.
        soft_tokens: of media seen before, by content.
        kernels: native ones, if they compute; None: torch, or a GPU's.
    """

    model: Gemma4
    streams: Streams
    tokenizer: Tokenizer
    template: Template
    defaults: Sampling
    stop_ids: frozenset[int]
    is_chat_model: bool
    info: ModelInfo
    grammars: Grammars
    soft_tokens: SoftTokenCache = field(default_factory=SoftTokenCache)
    kernels: Native | None = None

    @property
    def config(self) -> ModelConfig:
        """The model's configuration."""
        return self.model.config

    def chat(
        self,
        conversation: Conversation,
        *,
        tools: Tools = (),
        tool_choice: ToolMode | ToolChoice = "auto",
        format: Format | None = None,
        thinking: bool = False,
        thought_budget: int | None = None,
        image_budget: int | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Answer:
        """Answer a conversation: `llm.chat("Why is the sky blue?").text`.

        Args:
            conversation: a user's words, or messages as values or OpenAI-style mappings.
            tools: functions, JSON Schemas or `Tool`s that the model may call.
            tool_choice: which of them, and whether.
            format: what the answer is to look like, such as `JsonSchema({…})`.
            thinking: let the model reason first. thought_budget: for so many tokens at most.
            image_budget: most soft tokens of a picture: 70, 140, 280, 560 or 1120.
            options: see `Sampling`; what is not given comes from the checkpoint.

        Raises:
            InputError: one of its kinds, for anything that cannot be done as asked.
        """
        return fold(
            self.stream(
                conversation,
                tools=tools,
                tool_choice=tool_choice,
                format=format,
                thinking=thinking,
                thought_budget=thought_budget,
                image_budget=image_budget,
                **options,
            )
        )

    def stream(
        self,
        conversation: Conversation,
        *,
        tools: Tools = (),
        tool_choice: ToolMode | ToolChoice = "auto",
        format: Format | None = None,
        thinking: bool = False,
        thought_budget: int | None = None,
        image_budget: int | None = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """The events of an answer; see `chat`.

        What was asked for is checked before this returns. That too many requests wait is told by an
        `EnvironmentFault` where the first event is read: only then does the request line up.

        Args:
            on_prefill: told tokens done and tokens in all while the prompt is read.
        """
        question = Question(
            messages=to_messages(conversation),
            tools=to_tools(tools),
            tool_choice=_choice(tool_choice),
            format=format,
            thinking=thinking,
            thought_budget=thought_budget,
            image_budget=image_budget,
            options=options,
        )
        return stream_events(self.begin(self.prepare(question), on_prefill))

    def generate(self, prompt: str, **options: Unpack[SamplingOptions]) -> Answer:
        """Continue a text, without a template; the answer's `text` is the continuation alone."""
        return fold(self.stream_text(prompt, **options))

    def stream_text(
        self,
        prompt: str,
        *,
        format: Format | None = None,
        on_prefill: OnPrefill | None = None,
        **options: Unpack[SamplingOptions],
    ) -> Iterator[Event]:
        """The events of a continuation; control tokens in the prompt are plain text."""
        asked = Continuation(text=prompt, format=format, options=options)
        return stream_events(self.begin(self.prepare(asked), on_prefill))

    def prepare(self, asked: Question | Continuation) -> Prepared:
        """Check what is asked and turn it into ids. Touches no tensor of the model: any thread may.

        Raises:
            InputError: one of its kinds, for anything that cannot be done as asked.
        """
        sampling = effective(self.defaults, asked.options)
        if isinstance(asked, Continuation):
            return self._prepare_text(asked, sampling)
        if asked.before:
            self.check_ids(asked.before)
        read = self._read(asked, partial(self._check_length, limit=asked.prompt_limit))
        decoder = ChatDecoder(
            self.tokenizer, sampling.stop, tools=asked.tools, opens_thought=read.opens_thought
        )
        rule = asked.rule(opens_thought=read.opens_thought, loop_guard=sampling.loop_guard)
        facts = self._facts(
            thinking=asked.thinking,
            template=self.info.template,
            media=read.media,
            media_seconds=read.media_seconds,
            warnings=(*asked.remarks, *read.warnings),
        )
        return Prepared(
            ids=read.ids,
            media=read.media,
            sampling=sampling,
            decoder=decoder,
            facts=facts,
            constraint=None if rule is None else self.grammars.constraint(rule),
        )

    def render(self, question: Question) -> ReadConversation:
        """The prompt of a conversation, however long. Touches no tensor of the model: any thread may.

        Raises:
            InputError: one of its kinds, for anything that cannot be rendered.
        """
        return self._read(question, lambda _: None)

    def begin(self, prepared: Prepared, on_prefill: OnPrefill | None = None) -> Turn:
        """Encode media and check the request; it runs once it is submitted. For the engine's thread.

        Args:
            on_prefill: told tokens done and tokens in all while the prompt is read.

        Raises:
            ContextError: there are not as many pages as prompt and answer may need.
            SamplingError: the settings name an id outside the vocabulary.
        """
        started = time.perf_counter()
        prompt = place_media(self.model, prepared.ids, prepared.media, self.soft_tokens)
        facts = prepared.facts
        if prepared.media:
            seconds = facts.media_seconds + time.perf_counter() - started
            facts = replace(facts, media_seconds=seconds)
        request = self.streams.engine.prepare(
            prompt,
            prepared.sampling,
            stop_ids=self.stop_ids | frozenset(prepared.sampling.stop_ids),
            constraint=prepared.constraint,
        )
        return Turn(
            streams=self.streams,
            request=request,
            tokenizer=self.tokenizer,
            sampling=prepared.sampling,
            context=self.info.context,
            decoder=prepared.decoder,
            facts=facts,
            constraint=prepared.constraint,
            on_prefill=on_prefill,
        )

    @torch.inference_mode()
    def logits(self, ids: Sequence[int], *, media: Sequence[Medium] = ()) -> Tensor:
        """Scores of the next token behind every position, float32 [T, V], on the CPU.

        Args:
            ids: placeholders already as many as the media's soft tokens.
            media: prepared media, in the order of their placeholders.

        Raises:
            InputError: no ids, or one outside the vocabulary.
            ContextError: more ids than the context holds.
        """
        self.check_ids(ids)
        prompt = place_media(self.model, ids, media)
        rows = torch.arange(len(ids), device=self.model.device)
        kv = PassKV(self.model.decoder.specs)
        hidden = self.model.decoder(prompt.batch(0, len(ids), kv=kv, logit_rows=rows))
        scores = torch.empty(len(ids), self.config.text.vocab_size)
        for start in range(0, len(ids), LOGIT_ROWS):
            part = hidden[start : start + LOGIT_ROWS]
            scores[start : start + LOGIT_ROWS] = self.model.decoder.logits(part)
        return scores

    def check_ids(self, ids: Sequence[int]) -> None:
        """Refuse what the model cannot read.

        Raises:
            InputError: no ids, or one outside the vocabulary.
            ContextError: more ids than the context holds.
        """
        size = self.config.text.vocab_size
        wrong = [token for token in ids if not 0 <= token < size]
        if wrong:
            raise InputError(f"id {wrong[0]} is not in the vocabulary of 0 to {size - 1}")
        if not ids:
            raise InputError("no ids were given; give at least one")
        if len(ids) > self.info.context:
            raise ContextError(
                f"{len(ids)} ids were given and the context holds {self.info.context}; "
                "give fewer, or load with a larger context",
                needed=len(ids),
                limit=self.info.context,
            )

    def _check_length(self, length: int, *, limit: int | None) -> None:
        """Refuse a prompt that the context cannot hold, or that is longer than its caller wants."""
        if limit is not None and length > limit:
            raise ContextError(
                f"the prompt has {length} tokens and the request allows {limit}; shorten it, or allow "
                f"more (the model holds {self.info.context})",
                needed=length,
                limit=limit,
            )
        self.streams.engine.check_length(length)

    def _facts(
        self,
        *,
        thinking: bool,
        template: str | None,
        media: Sequence[Medium] = (),
        media_seconds: float = 0.0,
        warnings: tuple[str, ...] = (),
    ) -> Facts:
        return Facts(
            model=self.info.name,
            device=self.info.device,
            dtype=self.info.dtype,
            kernels=self.info.kernels,
            template=template,
            thinking=thinking,
            load_seconds=self.info.load_seconds,
            media_seconds=media_seconds,
            media=tuple(medium.usage for medium in media),
            warnings=warnings,
        )

    def _read(self, question: Question, check_length: Callable[[int], None]) -> ReadConversation:
        return read_conversation(
            question,
            config=self.config,
            template=self.template,
            tokenizer=self.tokenizer,
            check_length=check_length,
        )

    def _prepare_text(self, asked: Continuation, sampling: Sampling) -> Prepared:
        ids = asked.ids
        if ids is None:
            ids = completion_prompt(asked.text, tokenizer=self.tokenizer).ids
        self.check_ids(ids)
        self._check_length(len(ids), limit=asked.prompt_limit)
        decoder = PlainDecoder(self.tokenizer, sampling.stop)
        facts = self._facts(thinking=False, template=None, warnings=asked.remarks)
        rule = None
        if asked.format is not None:
            rule = AnswerRule(format=asked.format, loop_guard=sampling.loop_guard)
        return Prepared(
            ids=ids,
            media=(),
            sampling=sampling,
            decoder=decoder,
            facts=facts,
            constraint=None if rule is None else self.grammars.constraint(rule),
        )


def _choice(given: ToolMode | ToolChoice) -> ToolChoice:
    return given if isinstance(given, ToolChoice) else ToolChoice(mode=given)
