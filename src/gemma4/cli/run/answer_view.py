"""An answer as it comes: its words to stdout, thoughts and remarks to stderr."""

from typing import TextIO

from ...llm.events import ContentDelta, Finished, ThoughtDelta, ToolCallEvent
from ...tools.loop import LoopEvent, RoundsSpent, ToolAnswer
from ..output import Output
from .request import View
from .safe_text import without_controls

_MOST_SHOWN = 2_000
"""Characters of a tool's answer that are shown; the model gets them all."""


class AnswerView:
    """Shows one answer. A stream that is no terminal gets the words exactly; a terminal gets no
    control characters, with which a text could rewrite the screen.

    Args:
        view: whether thoughts are shown, and whether pieces are shown as they come.
        has_tools: whether the model was given tools; whoever approves their calls shows them.
    """

    def __init__(self, out: Output, view: View, *, has_tools: bool = False) -> None:
        self._out = out
        self._view = view
        self._has_tools = has_tools
        self._warned: set[str] = set()
        self._text: list[str] = []
        self._thought: list[str] = []
        self._open_line = {"thought": False, "text": False}

    def show(self, event: LoopEvent) -> None:
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
                if not self._has_tools:
                    self._out.warn(f"the model called {event.call.name}, but it was given no tools")
            case ToolAnswer():
                self._show_answer(event)
            case RoundsSpent():
                self._out.warn(
                    f"{event.rounds} rounds of calls are used up (--max-rounds): the model answers with "
                    "what it has"
                )
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
            if warning not in self._warned:  # once, whatever the number of rounds
                self._out.warn(warning)
            self._warned.add(warning)
        if finished.finish_reason not in ("stop", "tool_calls"):
            detail = finished.finish_detail or finished.finish_reason
            self._out.warn(f"the answer is not complete ({finished.finish_reason}): {detail}")

    def _show_answer(self, told: ToolAnswer) -> None:
        """What a tool gave, as far as it fits; of a call that was denied the person knows already."""
        if told.denied:
            return
        text = told.result.text
        if len(text) > _MOST_SHOWN:
            text = f"{text[:_MOST_SHOWN]}… ({len(text):,} characters)"
        media = ", ".join(type(part).__name__.lower() for part in told.result.media)
        shown = "\n".join(filter(None, (without_controls(text).rstrip(), media and f"[{media}]")))
        lines = (shown or "(nothing)").split("\n")
        self._out.note(
            "\n".join(f"  {self._out.paint(one, 'dim', self._out.stderr)}" for one in lines)
        )


def _safe(text: str, stream: TextIO) -> str:
    return without_controls(text) if stream.isatty() else text
