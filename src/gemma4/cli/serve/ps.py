"""`gemma4 ps`: running servers and the models that they hold."""

from typing import Any

import typer

from ..output import JsonOption, NoColorOption, QuietOption, format_bytes
from ..session import session_of

_HEADER = ("NAME", "STATE", "SIZE", "PROCESSOR", "CONTEXT", "SLOTS", "QUEUE", "UNTIL", "SERVER")


def ps(
    context: typer.Context,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """List models that running servers hold in memory.

    \b
    Examples:
      gemma4 ps
      gemma4 ps --json
    """
    from ...errors import EnvironmentFault
    from .calling import call
    from .state import running_servers

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    servers = running_servers(session.settings.home)
    found: list[dict[str, Any]] = []
    for server in servers:
        entry: dict[str, Any] = {"url": server.url, "pid": server.pid, "models": []}
        try:
            entry |= call(server, "GET", "/ps")
        except EnvironmentFault as error:
            out.warn(str(error))
        found.append(entry)
    if out.as_json:
        out.data(found)
        return
    rows = [_row(model, entry["url"]) for entry in found for model in entry["models"]]
    if rows:
        out.table(_HEADER, rows)
    elif servers:
        out.note(f"{', '.join(entry['url'] for entry in found)}: no model is loaded")
    else:
        out.note("no server runs; `gemma4 serve` starts one")


def _row(model: dict[str, Any], url: str) -> tuple[str, ...]:
    device = model.get("device")
    slots = f"{model.get('running', 0)}/{model['slots']}" if "slots" in model else "-"
    return (
        model["id"],
        model["state"],
        format_bytes(model["size_bytes"]) if model["size_bytes"] else "-",
        f"{device} {model['kernels']}" if device else "-",
        str(model.get("context", "-")),
        slots,
        str(model.get("waiting", "-")),
        _until(model),
        url,
    )


def _until(model: dict[str, Any]) -> str:
    if model["state"] != "loaded":
        return model["error"] or "-"
    left = model["expires_in"]
    if left is None:
        return "in use" if model["running"] else "forever"
    return f"{left / 60:.0f} min" if left >= 90 else f"{left:.0f} s"
