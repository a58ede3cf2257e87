"""An answer as it comes: its words to stdout, thoughts and remarks to stderr."""

from typing import TextIO

from ...llm.events import ContentDelta, Event, Finished, ThoughtDelta, ToolCallEvent
from ..output import Output
from .request import View

_CONTROLS = dict.fromkeys((*range(9), *range(11, 32), *range(127, 160)))


class AnswerView:
    """Shows one answer. A stream that is no terminal gets the words exactly; a terminal gets no
    control characters, with which a text could rewrite the screen.

    Args:
        view: whether thoughts are shown, and whether pieces are shown as they come.
    """

    def __init__(self, out: Output, view: View) -> None:
        self._out = out
        self._view = view
        self._text: list[str] = []
        self._thought: list[str] = []
        self._open_line = {"thought": False, "text": False}

    def show(self, event: Event) -> None:
        """Show the next event."""
        match event:
            case ThoughtDelta() if self._view.streams:
                self._write_thought(event.text)
            case ContentDelta() if self._view.streams:
                self._write_text(event.text)
            case ThoughtDelta():
                self._thought.append(event.text)
            case ContentDelta():
                self._text.append(event.text)
            case ToolCallEvent():
                self.close()
                self._out.warn(f"the model called {event.call.name}, but it was given no tools")
            case Finished():
                self.close()
                self._remark(event)

    def close(self) -> None:
        """Show what was held back, and end lines that are open; also after an interruption."""
        thought, text = "".join(self._thought), "".join(self._text)
        self._thought, self._text = [], []
        if thought:
            self._write_thought(thought)
        if text:
            self._write_text(text)
        self._end_line("thought", self._out.stderr)
        self._end_line("text", self._out.stdout)

    def _write_thought(self, text: str) -> None:
        if not self._view.thought:
            return
        stream = self._out.stderr
        stream.write(self._out.paint(_safe(text, stream), "dim", stream))
        stream.flush()
        self._note_line("thought", text)

    def _write_text(self, text: str) -> None:
        self._end_line("thought", self._out.stderr)
        self._out.result(_safe(text, self._out.stdout), end="")
        self._note_line("text", text)

    def _note_line(self, name: str, text: str) -> None:
        if text:
            self._open_line[name] = not text.endswith("\n")

    def _end_line(self, name: str, stream: TextIO) -> None:
        if self._open_line[name]:
            stream.write("\n")
            stream.flush()
            self._open_line[name] = False

    def _remark(self, finished: Finished) -> None:
        """What the user must not miss."""
        for warning in finished.warnings:
            self._out.warn(warning)
        if finished.finish_reason not in ("stop", "tool_calls"):
            detail = finished.finish_detail or finished.finish_reason
            self._out.warn(f"the answer is not complete ({finished.finish_reason}): {detail}")


def _safe(text: str, stream: TextIO) -> str:
    return text.translate(_CONTROLS) if stream.isatty() else text
