"""One invocation of the command line: the settings, and the output once a command has chosen it."""

from dataclasses import dataclass

import typer

from ..hub.store import Store
from .output import Output
from .settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What every command gets, as `ctx.obj`."""

    settings: Settings

    @property
    def store(self) -> Store:
        """The local store."""
        return Store(self.settings.home)

    def output(
        self, *, as_json: bool = False, quiet: bool = False, no_color: bool = False
    ) -> Output:
        """The streams for a command with these options."""
        color = not (no_color or self.settings.no_color)
        return Output(as_json=as_json, quiet=quiet, color=color)


def session_of(context: typer.Context) -> Session:
    """The session that `main` put into the context."""
    session = context.obj
    assert isinstance(session, Session)
    return session
