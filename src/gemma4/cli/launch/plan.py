"""What it takes to let an agent ask our server: its files, its environment, its arguments."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NO_KEY = "gemma4"
"""Agents insist on a key; a server without keys takes any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """The server and the model that an agent is to ask.

    Attributes:
        url: of the server, without `/v1` and without a slash at its end.
        context: tokens that a request may have.
        sees: the model takes pictures. thinks: it can reason first.
    """

    url: str
    model: str
    context: int
    sees: bool
    thinks: bool
    key: str | None = None

    @property
    def openai_url(self) -> str:
        """Where OpenAI's protocols are."""
        return f"{self.url}/v1"

    @property
    def longest_answer(self) -> int:
        """Tokens of an answer that leave room for a prompt."""
        return min(32_768, self.context // 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where agents keep what is theirs.

    Attributes:
        home: the user's. ours: of `gemma4`.
        environ: variables that name other folders.
    """

    home: Path
    ours: Path
    environ: Mapping[str, str]

    def folder(self, variable: str, default: str) -> Path:
        """A folder that a variable may name."""
        named = self.environ.get(variable)
        return Path(named).expanduser() if named else self.home / default


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnFile:
    """A file that is ours alone, written whole."""

    path: Path
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class JSONEdit:
    """Settings to put into a JSON file of the user; all others stay.

    Attributes:
        settings: merged: objects by key, lists of objects that have an `id` by that; all else is replaced.
    """

    path: Path
    settings: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How one agent is set up.

    Attributes:
        arguments: before those of the user. environment: beside that of the user.
        files: to be written.
        note: what to know; empty if nothing.
    """

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[OwnFile | JSONEdit, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Agent:
    """An agent.

    Attributes:
        program: to start. install: the command that gets it.
    """

    program: str
    install: str
    plan: Callable[[Target, Places], Plan]
