"""Every call of a tool is shown, and asked about before it is run."""

import sys
from collections.abc import Callable

from ...text.messages import ToolCall
from ...tools.loop import Denied
from ...tools.result import arguments_text
from ..output import Output
from .safe_text import without_controls

Read = Callable[[], str]
_NOBODY = "nobody is there to approve it"


class Approver:
    """Asks the person at the terminal.

    Args:
        runs_all: every call is run without asking.
        read: a line that the person types, empty at the end of input; None where there is no person.
    """

    def __init__(self, out: Output, *, runs_all: bool, read: Read | None) -> None:
        self._out = out
        self._runs_all = runs_all
        self._read = read
        self._always: set[str] = set()
        self._has_warned = False

    def __call__(self, call: ToolCall) -> Denied | None:
        """None to run it; else why not.

        Raises:
            KeyboardInterrupt: Ctrl-C at the question, which ends the answer.
        """
        shown = without_controls(f"{call.name}({arguments_text(call.arguments)})")
        if self._runs_all or call.name in self._always:
            self._out.note(f"tool {shown}")
            return None
        self._out.stderr.write(f"tool {shown}\n")
        if self._read is None:
            self._warn_of_nobody()
            return Denied(_NOBODY)
        return self._ask(self._read, call.name)

    def _ask(self, read: Read, name: str) -> Denied | None:
        while True:
            self._out.stderr.write(
                f"  run it? [y]es, [n]o, [a]lways run {without_controls(name)}: "
            )
            self._out.stderr.flush()
            line = read()
            match line.strip().lower():
                case "y" | "yes":
                    return None
                case "a" | "always":
                    self._always.add(name)
                    return None
                case "n" | "no":
                    return Denied("the user denied it")
            if not line:
                return Denied("the user denied it")

    def _warn_of_nobody(self) -> None:
        if not self._has_warned:
            self._out.warn("calls are denied, for there is no terminal to ask on; --yes runs them")
        self._has_warned = True


def terminal_reader() -> Read | None:
    """Reads what a person types; None where stdin or stderr is no terminal."""
    if sys.stdin is None or sys.stdin.closed or not (sys.stdin.isatty() and sys.stderr.isatty()):
        return None
    return sys.stdin.readline
