"""What the bodies of chat and generate have in common."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from ...grammar.formats import Format, JsonObject, JsonSchema
from ..errors import RequestError
from ..thinking import Thinking, thinking_of_effort
from .options import ReadOptions, read_options


class AskBody(BaseModel):
    """What is not named here is let pass and ignored. Streaming is the default."""

    model_config = ConfigDict(extra="allow")

    model: str | None = None
    stream: bool | None = True
    format: str | dict[str, Any] | None = None
    options: dict[str, Any] | None = None
    keep_alive: float | str | None = None
    think: bool | str | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = Field(default=None, ge=0, le=20)

    @property
    def wants_stream(self) -> bool:
        """Whether lines are sent as they come."""
        return self.stream is not False

    def wanted_thinking(self) -> Thinking:
        """Off unless asked for: agents that say nothing of it wait for an answer, not for a thought.

        Raises:
            RequestError: a word that is none of the table's.
        """
        if isinstance(self.think, str):
            return thinking_of_effort(self.think, param="think")
        return Thinking(enabled=bool(self.think))

    def read_options(self, context: int) -> ReadOptions:
        """Sampling settings and the limit of the prompt, log-probabilities among them."""
        read = read_options(self.options, context=context)
        if not self.logprobs:
            return read
        sampling = {**read.sampling, "logprobs": self.top_logprobs or 0}
        return ReadOptions(sampling=sampling, prompt_limit=read.prompt_limit, remarks=read.remarks)

    def wanted_format(self) -> Format | None:
        """What the answer is held to.

        Raises:
            RequestError: a word other than `json`.
        """
        if isinstance(self.format, dict):
            return JsonSchema(self.format)
        if self.format == "json":
            return JsonObject()
        if self.format:
            raise RequestError(
                f"format is {self.format!r}; it must be json or a JSON Schema object",
                param="format",
            )
        return None
