"""`gemma4 ls`: what is on this machine."""

from datetime import UTC, datetime, timedelta

import typer

from ..hub.manifest import Manifest
from .output import JsonOption, NoColorOption, QuietOption, format_bytes
from .session import session_of


def ls(
    context: typer.Context,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """List the downloaded models. With -q, names only.

    \b
    Examples:
      gemma4 ls
      gemma4 ls -q
      gemma4 ls --json
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    contents = session.store.contents()
    for problem in contents.problems:
        out.warn(problem)
    if out.as_json:
        out.data([describe_stored(manifest) for manifest in contents.models])
    elif quiet:
        for manifest in contents.models:
            out.result(manifest.name)
    elif contents.models:
        now = datetime.now(UTC)
        rows = [_row(manifest, now) for manifest in contents.models]
        out.table(("NAME", "ID", "SIZE", "QUANT", "MODIFIED"), rows)
    else:
        out.note(f"no models in {session.store.root}; `gemma4 pull gemma3:270m` gets a small one")


def describe_stored(manifest: Manifest) -> dict[str, object]:
    """A stored model as JSON."""
    return {
        "name": manifest.name,
        "id": manifest.id,
        "size_bytes": manifest.size,
        "quantization": manifest.quantization,
        "pulled": manifest.pulled,
        "licence": manifest.licence,
        "source": manifest.source.location,
        "revision": manifest.source.revision,
    }


def _row(manifest: Manifest, now: datetime) -> tuple[str, ...]:
    age = now - datetime.fromisoformat(manifest.pulled)
    size = format_bytes(manifest.size)
    return (manifest.name, manifest.id, size, manifest.quantization, format_age(age))


def format_age(age: timedelta) -> str:
    """How long ago: `3 days ago`."""
    seconds = int(age.total_seconds())
    units = (("year", 31_536_000), ("month", 2_592_000), ("week", 604_800), ("day", 86_400))
    for unit, length in (*units, ("hour", 3600), ("minute", 60)):
        if (count := seconds // length) > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
