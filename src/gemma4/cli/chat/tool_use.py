"""What the model of a conversation may call, and how its calls are run."""

import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import redirect_stdout
from typing import Protocol

from ...llm.events import Event
from ...llm.question import ToolChoice
from ...text.messages import Message, Tool, ToolCall
from ...tools.box import Toolbox
from ...tools.loop import Approve, LoopEvent, run_tools
from ...tools.result import ToolResult, readable


class Ask(Protocol):
    """Streams the model's answer to messages, with these tools."""

    def __call__(
        self, said: Sequence[Message], *, tools: Sequence[Tool], tool_choice: ToolChoice
    ) -> Iterator[Event]:
        """Ask."""


class ToolUse:
    """Tools, and who says whether a call is run.

    Args:
        approve: asked before every call.
        max_rounds: of calls, before the model must answer in words.
        modalities: that the model takes in a tool's answer.
    """

    def __init__(
        self, box: Toolbox, *, approve: Approve, max_rounds: int, modalities: Collection[str]
    ) -> None:
        self._box = box
        self._approve = approve
        self._max_rounds = max_rounds
        self._modalities = modalities

    @property
    def offered(self) -> tuple[Tool, ...]:
        """The tools."""
        return self._box.offered

    def events(self, messages: Sequence[Message], ask: Ask) -> Iterator[LoopEvent]:
        """The model's answer, its calls run on the way."""

        def ask_with_tools(said: Sequence[Message], choice: ToolChoice) -> Iterator[Event]:
            return ask(said, tools=self.offered, tool_choice=choice)

        def run(call: ToolCall) -> ToolResult:
            with redirect_stdout(sys.stderr):  # stdout has the answer alone
                return readable(self._box.call(call.name, call.arguments), self._modalities)

        return run_tools(
            messages,
            ask=ask_with_tools,
            approve=self._approve,
            run=run,
            max_rounds=self._max_rounds,
        )
