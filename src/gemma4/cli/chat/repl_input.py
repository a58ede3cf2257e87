"""What a person types: history, several lines between triple quotes."""

from collections.abc import Callable
from pathlib import Path

from ..output import Output

_QUOTES = '"""'


def is_open_block(text: str) -> bool:
    """Whether a text begins with triple quotes that are not closed yet."""
    start = text.lstrip()
    return start.startswith(_QUOTES) and not start[len(_QUOTES) :].rstrip().endswith(_QUOTES)


def make_reader(home: Path, out: Output) -> Callable[[], str]:
    """A function that reads one entry from the terminal.

    Entries of earlier conversations are kept in `home/history`, which only the user can read. The
    function raises EOFError for Ctrl-D and KeyboardInterrupt for Ctrl-C.
    """
    from prompt_toolkit import PromptSession
    from prompt_toolkit.application import get_app
    from prompt_toolkit.filters import Condition
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.output import ColorDepth, create_output

    home.mkdir(parents=True, exist_ok=True)
    history = home / "history"
    history.touch(mode=0o600)
    session: PromptSession[str] = PromptSession(
        history=FileHistory(history),
        # Enter ends an entry, unless it stands in a block; there it begins a new line.
        multiline=Condition(lambda: is_open_block(get_app().current_buffer.text)),
        prompt_continuation="... ",
        enable_open_in_editor=True,
        color_depth=None if out.color else ColorDepth.DEPTH_1_BIT,
        # With stdout in a pipe the prompt goes to stderr, so that only answers are piped.
        output=create_output(always_prefer_tty=True),
    )
    return lambda: session.prompt(">>> ")
