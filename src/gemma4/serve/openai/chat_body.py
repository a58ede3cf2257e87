"""The body of `POST /v1/chat/completions`, and the question that it asks."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ...llm.question import Question
from ..settings import ServeSettings
from ..thinking import Thinking, thinking_of_effort, thinking_of_template
from .messages import ChatMessage, read_messages
from .sampling import SamplingFields
from .tools import read_tools


class StreamOptions(BaseModel):
    """What a stream says beside the answer."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool = False


class ChatBody(SamplingFields):
    """What is not named here is let pass and ignored: `store`, `metadata`, `user` and their like."""

    model: str | None = None
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=1, ge=1, le=16)
    max_completion_tokens: int | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    reasoning_effort: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    thinking: dict[str, Any] | bool | None = None
    image_budget: int | None = None
    continue_final_message: bool | None = False

    def question(self, settings: ServeSettings) -> Question:
        """What is asked.

        Raises:
            RequestError, MessageError: it cannot be understood.
        """
        tools, remarks = read_tools(self.tools or ())
        return Question(
            messages=read_messages(self.messages, settings),
            tools=tools,
            thinking=self.wanted_thinking().enabled,
            image_budget=self.image_budget,
            goes_on=bool(self.continue_final_message),
            options=self.options(),
            remarks=remarks,
        )

    def options(self) -> dict[str, Any]:
        """Sampling settings."""
        options = self.sampling_options()
        if self.max_completion_tokens is not None:
            options["max_tokens"] = self.max_completion_tokens
        if self.logprobs:
            options["logprobs"] = self.top_logprobs or 0
        return options

    def wanted_thinking(self) -> Thinking:
        """Off unless somebody asks for it, in whichever of the ways that clients know."""
        if self.reasoning_effort is not None:
            return thinking_of_effort(self.reasoning_effort, param="reasoning_effort")
        if isinstance(self.thinking, bool):
            return Thinking(enabled=self.thinking)
        if self.thinking is not None:
            return Thinking(enabled=self.thinking.get("type") != "disabled")
        return thinking_of_template(self.chat_template_kwargs) or Thinking()
