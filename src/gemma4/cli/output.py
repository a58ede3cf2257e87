"""Where a command's words go: results to stdout, everything else to stderr.

With `--json`, stdout carries JSON and nothing else; a failure is one JSON line on stderr:
`{"error": {"type": …, "message": …, "exit_code": …}}`.
"""

import json
import sys
from collections.abc import Sequence
from typing import Annotated, TextIO

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON and nothing else on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no bars.")]
NoColorOption = Annotated[bool, typer.Option("--no-color", help="No colours (as NO_COLOR does).")]

_COLORS = {"red": "31", "green": "32", "yellow": "33", "bold": "1", "dim": "2"}


class Output:
    """The streams of one command.

    Args:
        as_json: results are JSON; notes and bars are left out.
        quiet: no notes and no bars; warnings and errors stay.
        color: colours where the stream is a terminal.
    """

    def __init__(
        self,
        *,
        as_json: bool = False,
        quiet: bool = False,
        color: bool = True,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet or as_json
        self.color = color
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr

    @property
    def shows_bars(self) -> bool:
        """Whether progress may be drawn: only on a terminal."""
        return not self.quiet and self.stderr.isatty()

    def result(self, text: str, *, end: str = "\n") -> None:
        """Print a line, or with `end` a piece, of the result for people."""
        self.stdout.write(text + end)
        self.stdout.flush()

    def data(self, value: object) -> None:
        """Print one JSON document on one line."""
        self.result(_as_json(value, self.stdout))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print rows in columns, as wide as their widest cell."""
        for line in align_columns([header, *rows]):
            self.result(line)

    def note(self, text: str) -> None:
        """Say what is going on."""
        if not self.quiet:
            self._say(text)

    def warn(self, text: str) -> None:
        """Say what the user must not miss."""
        self._say(f"{self.paint('warning:', 'yellow', self.stderr)} {text}")

    def fail(self, error: BaseException, *, kind: str, message: str, exit_code: int) -> None:
        """Report the failure that ends the program, on one line."""
        if self.as_json:
            report = {"type": kind, "message": message, "exit_code": exit_code}
            needed, limit = getattr(error, "needed", None), getattr(error, "limit", None)
            if needed is not None:
                report |= {"needed": needed, "limit": limit}
            self._say(_as_json({"error": report}, self.stderr))
        else:
            self._say(f"{self.paint('error:', 'red', self.stderr)} {' '.join(message.split())}")

    def paint(self, text: str, color: str, stream: TextIO | None = None) -> str:
        """`text` in a colour (red, green, yellow, bold, dim) if the stream shows colours."""
        if not self.color or not (stream or self.stdout).isatty():
            return text
        return f"\x1b[{_COLORS[color]}m{text}\x1b[0m"

    def _say(self, text: str) -> None:
        self.stderr.write(text + "\n")
        self.stderr.flush()


def _as_json(value: object, stream: TextIO) -> str:
    """A document whose every character the stream's encoding has."""
    encoding = (getattr(stream, "encoding", None) or "").lower().replace("-", "")
    return json.dumps(value, ensure_ascii=encoding != "utf8")


def align_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as lines, every column as wide as its widest cell, three spaces between."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def format_bytes(count: int) -> str:
    """A size as people write it, in powers of 1000: `9.6 GB`."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5:
            return f"{value:.3g} {unit}" if value < 99.95 else f"{value:.0f} {unit}"
    return f"{value / 1000:.3g} TB"
