"""What is asked of a model: a conversation to answer, or a text to go on with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..grammar import AnswerRule, Format, ThoughtRule, ToolMode, ToolRule
from ..text.messages import Message, Tool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolChoice:
    """Which of the tools may or must be called; see `grammar.ToolRule`.

    Attributes:
        names: only these; None: all.
        parallel: several calls may be made at once.
        strict: refuse a tool whose schema cannot be enforced whole.
    """

    mode: ToolMode = "auto"
    names: tuple[str, ...] | None = None
    parallel: bool = True
    strict: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A conversation, and how it is to be answered.

    Attributes:
        tools: that the model may call.
        tool_choice: which of them, and whether.
        format: what the answer is to look like, thoughts and calls aside.
        thinking: let the model reason first. thought_budget: for so many tokens at most.
        image_budget: most soft tokens of a picture: 70, 140, 280, 560 or 1120; None: the model's own.
        goes_on: the last message is the model's, and is continued instead of answered.
        before: ids of an earlier exchange, that stand before the conversation.
        prompt_limit: most tokens of the prompt; None: what the context holds.
        options: see `Sampling`; what is not given comes from the checkpoint.
        remarks: what was left out of what the caller sent; they stand among the answer's warnings.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice = ToolChoice()
    format: Format | None = None
    thinking: bool = False
    thought_budget: int | None = None
    image_budget: int | None = None
    goes_on: bool = False
    before: tuple[int, ...] = ()
    prompt_limit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def rule(self, *, opens_thought: bool, loop_guard: bool) -> AnswerRule | None:
        """What the answer is held to; None where it is free.

        Raises:
            GrammarError: a tool is named that is not offered, or one is required and there is none.
        """
        choice = self.tool_choice
        tools = None
        if self.tools or choice.mode == "required":
            tools = ToolRule(
                tools=self.tools,
                mode=choice.mode,
                names=choice.names,
                parallel=choice.parallel,
                strict=choice.strict,
            )
        if self.format is None and tools is None and self.thought_budget is None:
            return None
        thought = ThoughtRule(
            opens_thought=opens_thought, allowed=self.thinking, budget=self.thought_budget
        )
        return AnswerRule(format=self.format, tools=tools, thought=thought, loop_guard=loop_guard)


@dataclass(frozen=True, kw_only=True, slots=True)
class Continuation:
    """A text without a template: control tokens in it are plain text.

    Attributes:
        ids: the text as tokens, where the caller has them; `text` is not looked at then.
        format: what the continuation is to look like.
        prompt_limit: most tokens of the prompt; None: what the context holds.
        options: see `Sampling`.
        remarks: what was left out of what the caller sent; they stand among the answer's warnings.
    """

    text: str = ""
    ids: tuple[int, ...] | None = None
    format: Format | None = None
    prompt_limit: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
