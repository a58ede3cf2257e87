"""The bodies of `POST /v1/responses` and `POST /v1/responses/input_tokens`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ...errors import RequestError
from ...thinking import Thinking, thinking_of_effort, thinking_of_template
from ..sampling import SamplingFields

Item = dict[str, Any]

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"


class Reasoning(BaseModel):
    """How much the model is to think, and what is shown of it."""

    model_config = ConfigDict(extra="allow")

    effort: str | None = None
    summary: str | None = None


class TextConfig(BaseModel):
    """The form of what it says."""

    model_config = ConfigDict(extra="allow")

    format: dict[str, Any] | None = None
    verbosity: str | None = None


class ResponsesBody(SamplingFields):
    """What is not named here is let pass and ignored: `client_metadata`, `service_tier` and their like."""

    model: str | None = None
    input: str | list[Item] | None = None
    instructions: str | None = None
    previous_response_id: str | None = None
    conversation: str | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    tools: list[Item] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = None
    reasoning: Reasoning | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    text: TextConfig | None = None
    truncation: str | None = None
    max_output_tokens: int | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    include: list[str] | None = None
    store: bool | None = True
    background: bool | None = False
    stream: bool | None = False
    metadata: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    user: str | None = None
    image_budget: int | None = None

    @property
    def is_stored(self) -> bool:
        """Whether the response is kept; it is unless the client says no."""
        return self.store is not False

    @property
    def wants_logprobs(self) -> bool:
        """Whether each token is to come with its log-probability."""
        return self.top_logprobs is not None or LOGPROBS in (self.include or ())

    def check(self) -> None:
        """Refuse what this server has not, or what contradicts itself.

        Raises:
            RequestError: naming the field.
        """
        for name in ("conversation", "prompt"):
            if getattr(self, name) is not None:
                raise RequestError(
                    f"{name} is not kept by this server; send the items themselves, or "
                    "previous_response_id",
                    param=name,
                )
        if self.background and not self.is_stored:
            raise RequestError(
                "background needs store: nobody could fetch the response else", param="background"
            )
        if self.truncation not in (None, "auto", "disabled"):
            raise RequestError(
                f"truncation is {self.truncation!r}; it must be auto or disabled",
                param="truncation",
            )

    def options(self) -> dict[str, Any]:
        """Sampling settings."""
        options = self.sampling_options()
        if self.max_output_tokens is not None:
            options["max_tokens"] = self.max_output_tokens
        if self.wants_logprobs:
            options["logprobs"] = self.top_logprobs or 0
        return options

    def wanted_thinking(self) -> Thinking:
        """Off unless somebody asks for it."""
        if self.reasoning is not None and self.reasoning.effort is not None:
            return thinking_of_effort(self.reasoning.effort, param="reasoning.effort")
        return thinking_of_template(self.chat_template_kwargs) or Thinking()
