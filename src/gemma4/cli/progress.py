"""Download bars on stderr: one for each file, with rate and time left; plain lines elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..hub.progress import Progress, Report
from .output import Output, format_bytes


@contextmanager
def show_downloads(out: Output) -> Iterator[Report]:
    """Give a `Report` that draws bars on a terminal, and else says when a file is done."""
    if not out.shows_bars:
        yield _line_reporter(out)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )
    from rich.progress import Progress as Bars

    console = Console(file=out.stderr, no_color=not out.color, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=console, expand=True) as bars:
        tasks = {}

        def report(progress: Progress) -> None:
            if progress.file not in tasks:
                # What earlier runs have brought is not counted in the rate.
                tasks[progress.file] = bars.add_task(
                    progress.file, total=progress.total, completed=progress.done
                )
            bars.update(tasks[progress.file], completed=progress.done, total=progress.total)

        yield report


def _line_reporter(out: Output) -> Report:
    finished: set[str] = set()

    def report(progress: Progress) -> None:
        if progress.done == progress.total and progress.file not in finished:
            finished.add(progress.file)
            out.note(f"{progress.file}   {format_bytes(progress.total)}")

    return report
