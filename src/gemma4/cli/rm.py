"""`gemma4 rm`: free the disk."""

from typing import Annotated

import typer

from ..hub.names import parse_reference
from .output import JsonOption, NoColorOption, QuietOption, format_bytes
from .session import session_of


def rm(
    context: typer.Context,
    models: Annotated[list[str], typer.Argument(help="Names as `gemma4 ls` shows them.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Remove models, and what half-done downloads of them have left.

    \b
    Examples:
      gemma4 rm e2b
      gemma4 rm e2b:base google/gemma-4-31B-it
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    removed: list[dict[str, object]] = []
    names = [parse_reference(model).name for model in models]
    for name in names:
        freed = session.store.remove(name)
        removed.append({"name": name, "freed_bytes": freed})
        out.note(f"removed {name}, {format_bytes(freed)} freed")
    if out.as_json:
        out.data(removed)
