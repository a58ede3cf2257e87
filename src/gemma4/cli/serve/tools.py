"""Tools of a server: who may have them run, and what is said of them when it starts."""

from collections.abc import Mapping
from typing import Any

from ...errors import InputError
from ...serve.middleware.hosts import is_loopback
from ...serve.settings import ServeSettings
from ...tools.box import Toolbox
from ..output import Output


def check_tools(settings: ServeSettings, values: Mapping[str, Any]) -> None:
    """Refuse tools that anybody in the network could run.

    Raises:
        InputError: the server is open to others and asks for no key.
    """
    named = [f"--{name}" for name in ("tools", "mcp") if values[name]]
    if named and not is_loopback(settings.host) and not settings.access.key_hashes:
        raise InputError(
            f"{named[0]} lets whoever reaches {settings.host} run code on this machine; give the server "
            "--api-key, or --host 127.0.0.1"
        )


def say_tools(out: Output, box: Toolbox) -> None:
    """What the page may call, and what was changed to offer it."""
    if box.offered:
        out.note(f"tools: {', '.join(tool.name for tool in box.offered)}")
    for remark in box.remarks:
        out.note(f"  {remark}")
