"""The bodies of `POST /v1/messages` and `POST /v1/messages/count_tokens`."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Block = dict[str, Any]


class AnthropicMessage(BaseModel):
    """One message; `system` and `developer` may stand among the others, as Claude Code sends them."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[Block]


class Thinking(BaseModel):
    """How much the model is to think."""

    model_config = ConfigDict(extra="allow")

    type: str = "disabled"
    budget_tokens: int | None = Field(default=None, ge=1)
    display: str | None = None


class OutputConfig(BaseModel):
    """How much it is to do, and in which form."""

    model_config = ConfigDict(extra="allow")

    effort: str | None = None
    format: dict[str, Any] | None = None


class ToolChoice(BaseModel):
    """Which tool it is to call."""

    model_config = ConfigDict(extra="allow")

    type: str = "auto"
    name: str | None = None
    disable_parallel_tool_use: bool | None = False


class CountBody(BaseModel):
    """What makes a prompt. What is not named here is let pass: `metadata`, `cache_control`, betas."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    messages: list[AnthropicMessage] = Field(min_length=1)
    system: str | list[Block] | None = None
    tools: list[Block] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: dict[str, Any] | None = None
    mcp_servers: list[Any] | None = None
    context_management: dict[str, Any] | None = None
    image_budget: int | None = None


class MessagesBody(CountBody):
    """The same, and how it is to be answered."""

    max_tokens: int = Field(ge=1)
    stream: bool | None = False
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None

    def options(self) -> dict[str, Any]:
        """Sampling settings, as `Sampling` names them."""
        names = (
            "max_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "seed",
        )  # fmt: skip
        options = {name: value for name in names if (value := getattr(self, name)) is not None}
        if self.stop_sequences:
            options["stop"] = tuple(self.stop_sequences)
        return options
