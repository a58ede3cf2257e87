"""What one answer is held to: its format, its tool calls, its thought."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import GrammarError
from ..text.messages import Tool
from .formats import Format

ToolMode = Literal["auto", "required", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRule:
    """Which tools may or must be called.

    Attributes:
        tools: all that the request declares.
        mode: `auto`: text, or calls; `required`: calls and nothing else; `none`: no calls.
        names: only these of them; None is all. One name with `required` is a call to that function.
        parallel: whether there may be several calls.
        strict: refuse a schema with a keyword that cannot be enforced; else only that spot is loosened,
            and a warning names it.

    Raises:
        GrammarError: a name is not declared, or there is nothing to call where a call is required.
    """

    tools: Sequence[Tool]
    mode: ToolMode = "auto"
    names: tuple[str, ...] | None = None
    parallel: bool = True
    strict: bool = False

    def __post_init__(self) -> None:
        """Check names and mode."""
        declared = [tool.name for tool in self.tools]
        unknown = [name for name in self.names or () if name not in declared]
        if unknown:
            known = ", ".join(declared) or "none"
            raise GrammarError(f"tool {unknown[0]!r} is not declared; the tools are: {known}")
        if self.mode == "required" and not self.offered:
            raise GrammarError("a tool call is required, but there is no tool; declare one")

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools that may be called."""
        if self.mode == "none":
            return ()
        return tuple(tool for tool in self.tools if self.names is None or tool.name in self.names)


@dataclass(frozen=True, slots=True, kw_only=True)
class ThoughtRule:
    """The thought before the answer.

    Attributes:
        opens_thought: the prompt ends inside an open thought.
        allowed: the model may open one itself.
        budget: most tokens of thoughts; None has no bound. When they are used up the channel is closed.
    """

    opens_thought: bool = False
    allowed: bool = False
    budget: int | None = None

    def __post_init__(self) -> None:
        """Check the budget."""
        if self.budget is not None and self.budget < 0:
            raise GrammarError(f"a thought budget of {self.budget} tokens; give 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule:
    """All of it. With a format and tools an answer is a text of the format, or calls.

    Attributes:
        loop_guard: end texts that repeat themselves without end; see docs/structured-output.md.
    """

    format: Format | None = None
    tools: ToolRule | None = None
    thought: ThoughtRule = ThoughtRule()
    loop_guard: bool = True
