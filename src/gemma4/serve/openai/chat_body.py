"""The body of `POST /v1/chat/completions`, and the question that it asks."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ...llm.llm import LLM
from ...llm.question import Question
from ..errors import RequestError
from ..rules import is_strict, read_tool_choice
from ..settings import ServeSettings
from ..thinking import Thinking
from .messages import ChatMessage, read_messages
from .reasoning import ReasoningFields
from .sampling import SamplingFields
from .structured import FormatFields
from .tools import read_tools


class StreamOptions(BaseModel):
    """What a stream says beside the answer."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = False


class ChatBody(SamplingFields, ReasoningFields, FormatFields):
    """What is not named here is let pass and ignored: `store`, `metadata`, `user` and their like."""

    model: str | None = None
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=1, ge=1)
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    modalities: list[str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    functions: list[dict[str, Any]] | None = None
    function_call: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    image_budget: int | None = None
    continue_final_message: bool | None = False
    add_generation_prompt: bool | None = None

    @property
    def wants_usage(self) -> bool:
        """Whether a stream ends with what was used."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def is_legacy(self) -> bool:
        """Whether `functions` were offered, as before there were tools."""
        return bool(self.functions) and not self.tools

    def count(self, settings: ServeSettings) -> int:
        """How many answers are wanted.

        Raises:
            RequestError: more than the server gives.
        """
        count, most = self.n or 1, settings.limits.choices
        if count > most:
            raise RequestError(f"n is {count}; this server gives at most {most}", param="n")
        return count

    def question(self, settings: ServeSettings, llm: LLM) -> Question:
        """What is asked of this model.

        Raises:
            RequestError, MessageError: it cannot be understood, or done.
        """
        self._check()
        offered = self.tools or self.functions or ()
        tools, unheard = read_tools(offered)
        read = read_messages(self.messages, settings)
        thinking = self.wanted_thinking()
        remarks = (*unheard, *read.remarks)
        if thinking.enabled and "enable_thinking" not in llm.template.variables:
            thinking = Thinking()
            remarks = (*remarks, f"{llm.info.name} answered without thinking, which it cannot do")
        choice = self.function_call if self.is_legacy else self.tool_choice
        return Question(
            messages=read.messages,
            tools=tools,
            tool_choice=read_tool_choice(
                choice, parallel=self.parallel_tool_calls, strict=is_strict(offered)
            ),
            format=self.wanted_format(),
            thinking=thinking.enabled,
            thought_budget=thinking.budget,
            image_budget=self.image_budget,
            goes_on=bool(self.continue_final_message),
            options=self.options(),
            remarks=remarks,
        )

    def options(self) -> dict[str, Any]:
        """Sampling settings."""
        options = self.sampling_options()
        if self.max_completion_tokens not in (None, -1):
            options["max_tokens"] = self.max_completion_tokens
        if self.logprobs:
            options["logprobs"] = self.top_logprobs or 0
        return options

    def _check(self) -> None:
        if self.top_logprobs and not self.logprobs:
            raise RequestError("top_logprobs needs logprobs: true", param="top_logprobs")
        if any(one != "text" for one in self.modalities or ()):
            raise RequestError(
                f"modalities are {self.modalities}; the model writes text only", param="modalities"
            )
        if bool(self.continue_final_message) and self.add_generation_prompt:
            raise RequestError(
                "continue_final_message and add_generation_prompt exclude each other; send one",
                param="add_generation_prompt",
            )
        if self.add_generation_prompt is False and not self.continue_final_message:
            raise RequestError(
                "add_generation_prompt: false leaves nobody to answer; to go on with the last message "
                "send continue_final_message: true",
                param="add_generation_prompt",
            )
