"""The `gemma4` program: its commands, and the one place where failures become exit codes.

0 done; 1 the environment's fault, or a check that failed; 2 usage or bad input; 130 interrupted.
Command files import what is heavy inside their functions, so that `-h` and `ls` start at once.
"""

import errno
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from io import TextIOWrapper
from typing import Annotated

import typer

from ..errors import Gemma4Error
from .bench.command import bench
from .doctor import doctor
from .fit import fit
from .launch.command import launch
from .ls import ls
from .output import Output
from .pull import pull
from .quantize.command import quantize
from .remote.command import chat
from .rm import rm
from .run.command import run
from .run.think import spell_out_think
from .serve.command import serve
from .serve.logs import logs
from .serve.ps import ps
from .serve.stop import stop
from .session import Session
from .settings import Settings, read_settings
from .show import show
from .tokenize import tokenize
from .verify import verify

_INTERRUPTED = 130


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gemma4 {_version()}")
        raise typer.Exit


def _version() -> str:
    from importlib.metadata import version  # a fiftieth of a second that few commands need

    return version("gemma4")


def _root(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Gemma 4 on this machine: load any published checkpoint, talk to it, prove the numbers.

    \b
    Examples:
      gemma4 fit                              what fits this machine
      gemma4 pull e2b                         get a model
      gemma4 run e2b "Why is the sky blue?"   ask it
      gemma4 serve e2b                        let programs and a web page ask it
      gemma4 COMMAND -h                       options and examples
    """


def make_app() -> typer.Typer:
    """All commands, in the order in which a newcomer meets them."""
    app = typer.Typer(
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )
    app.callback()(_root)
    talking, storing = (run, chat, serve, launch, ps, stop, logs), (pull, ls, show, rm)
    for command in (*talking, *storing, fit, bench, quantize, tokenize, verify, doctor):
        app.command()(command)
    return app


def main(arguments: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """Run one command and return its exit code. Nothing that a user can cause ends in a traceback.

    Args:
        arguments: words after the program's name; default: this process's.
        environ: variables to obey; default: this process's.
    """
    words = (sys.argv[1:] if arguments is None else list(arguments)) or ["-h"]
    settings = read_settings(os.environ if environ is None else environ)
    _print_anything()
    try:
        code = make_app()(
            spell_out_think(words),
            obj=Session(settings=settings),
            prog_name="gemma4",
            standalone_mode=False,
        )
        sys.stdout.flush()
    except BrokenPipeError:
        return _leave_broken_pipe()
    except KeyboardInterrupt:
        return _INTERRUPTED
    except Exception as error:
        return _report(error, words, settings)
    return code if isinstance(code, int) else 0


def _print_anything() -> None:
    """Let a stream whose encoding lacks a character show its escape, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _report(error: Exception, words: Sequence[str], settings: Settings) -> int:
    """Say what went wrong, on one line, and choose the exit code."""
    color = not (settings.no_color or "--no-color" in words)
    out = Output(as_json="--json" in words, color=color)
    match error:
        case Gemma4Error():
            kind, message, code = type(error).__name__, str(error), error.exit_code
        case typer.TyperException():
            kind, code = "UsageError", 2
            message = f"{error.format_message().rstrip('.')}{_help_hint(error)}"
        case OSError() if error.strerror:
            kind, code = "EnvironmentFault", 1
            place = f": {error.filename}" if error.filename else ""
            message = f"{error.strerror}{place}; {_remedy(error)}"
        case _:
            traceback.print_exception(error, file=sys.stderr)
            kind, code = type(error).__name__, 1
            message = (
                f"unexpected {kind}: {error}; this is a defect of gemma4 {_version()}, "
                "please report it with the lines above"
            )
    out.fail(error, kind=kind, message=message, exit_code=code)
    return code


def _remedy(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space, or write somewhere else"
    return "check that the path exists and may be used"


def _help_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    return f"; see `{context.command_path} -h`" if context else ""


def _leave_broken_pipe() -> int:
    """The reader of our output has gone (`gemma4 ls | head -1`): end without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
    return 1
