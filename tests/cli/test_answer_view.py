"""What of an answer reaches a screen, and what a pipe."""

import io

import pytest

from gemma4.cli.output import Output
from gemma4.cli.run.answer_view import AnswerView
from gemma4.cli.run.request import View
from gemma4.llm.events import ContentDelta


class Screen(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("stream", "shown"),
    [(Screen(), "a[2J\tb\nc\n"), (io.StringIO(), "a\x1b[2J\tb\r\n\rc\x85\n")],
)
def test_a_screen_gets_no_control_characters_and_a_pipe_all(
    stream: io.StringIO, shown: str
) -> None:
    """A carriage return once let an answer write over its own line."""
    view = AnswerView(Output(stdout=stream), View())
    view.show(ContentDelta("a\x1b[2J\tb\r\n\rc\x85"))
    view.close()
    assert stream.getvalue() == shown
