"""A line on a terminal's stderr that says what is being waited for, and goes again."""

from types import TracebackType

from .output import Output

_CLEAR = "\r\x1b[K"


class StatusLine:
    """Draws only on terminals, and never with --quiet or --json.

    Args:
        text: what is going on, in a few words.
    """

    def __init__(self, out: Output, text: str) -> None:
        self._out = out
        self._text = text
        self._drawn = False

    def __enter__(self) -> "StatusLine":
        """Draw it."""
        self.draw(f"{self._text} …")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it away, whatever happened."""
        self.clear()

    def draw(self, text: str) -> None:
        """Show another text."""
        if self._out.shows_bars and self._out.color:
            self._out.stderr.write(_CLEAR + text)
            self._out.stderr.flush()
            self._drawn = True

    def clear(self) -> None:
        """Take it away."""
        if self._drawn:
            self._out.stderr.write(_CLEAR)
            self._out.stderr.flush()
            self._drawn = False

    def show_prefill(self, done: int, total: int) -> None:
        """How much of the prompt is read; long prompts take more than one call."""
        if done < total:
            self.draw(f"reading the prompt: {done:,} of {total:,} tokens")
        else:
            self.clear()
