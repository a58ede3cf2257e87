"""Whether a model thinks: off unless somebody asks for it, in whichever of the ways that clients know.

reasoning_effort            OpenAI          thinking {type}             Anthropic, Z.ai
reasoning {effort, enabled} OpenRouter      think                       Ollama
chat_template_kwargs        vLLM, llama.cpp enable_thinking             SGLang
"""

from typing import Any

from pydantic import BaseModel

from ..thinking import Thinking, thinking_of_effort, thinking_of_template


class ReasoningFields(BaseModel):
    """The fields; the first that says something counts, in the order of the table above."""

    reasoning_effort: str | None = None
    reasoning: dict[str, Any] | None = None
    thinking: dict[str, Any] | bool | None = None
    think: bool | str | None = None
    enable_thinking: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None

    def wanted_thinking(self) -> Thinking:
        """What the client wants.

        Raises:
            RequestError: an effort that nobody knows.
        """
        if self.reasoning_effort is not None:
            return thinking_of_effort(self.reasoning_effort, param="reasoning_effort")
        if self.reasoning is not None:
            effort = self.reasoning.get("effort")
            if effort is not None:
                return thinking_of_effort(str(effort), param="reasoning.effort")
            return Thinking(enabled=self.reasoning.get("enabled") is not False)
        if isinstance(self.think, str):
            return thinking_of_effort(self.think, param="think")
        for switch in (self.thinking, self.think, self.enable_thinking):
            if isinstance(switch, bool):
                return Thinking(enabled=switch)
            if switch is not None:
                return _of_object(switch)
        return thinking_of_template(self.chat_template_kwargs) or Thinking()


def _of_object(thinking: dict[str, Any]) -> Thinking:
    if thinking.get("type") == "disabled":
        return Thinking()
    budget = thinking.get("budget_tokens")
    return Thinking(enabled=True, budget=budget if isinstance(budget, int) else None)
