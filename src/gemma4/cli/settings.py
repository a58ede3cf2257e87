"""What the environment says, read once and handed down as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..hub.store import default_root

HUB_ENDPOINT = "https://huggingface.co"
"""The Hugging Face hub, unless HF_ENDPOINT names a mirror."""

_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The user's environment.

    Attributes:
        home: GEMMA4_HOME, else `gemma4` in the user's data folder: the local store.
        endpoint: HF_ENDPOINT, else the Hugging Face hub.
        token: HF_TOKEN, for repositories that ask for consent.
        offline: GEMMA4_OFFLINE or HF_HUB_OFFLINE: no command may use the network.
        api_key: GEMMA4_API_KEY, for servers that `gemma4 chat` talks to.
        no_color: NO_COLOR is set, or the terminal is a dumb one.
        serve: every GEMMA4_SERVE_… variable that is not empty, as it is.
        environ: all of it, for programs that are started.
    """

    home: Path
    endpoint: str = HUB_ENDPOINT
    token: str | None = field(default=None, repr=False)
    offline: bool = False
    api_key: str | None = field(default=None, repr=False)
    no_color: bool = False
    serve: Mapping[str, str] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def user_home(self) -> Path:
        """Where other programs keep their settings."""
        named = self.environ.get("HOME") or self.environ.get("USERPROFILE")
        return Path(named) if named else Path.home()


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read the variables that `gemma4` knows; an empty variable is as good as none."""
    return Settings(
        home=_home(environ),
        endpoint=(environ.get("HF_ENDPOINT") or HUB_ENDPOINT).rstrip("/"),
        token=environ.get("HF_TOKEN") or None,
        offline=_is_on(environ, "GEMMA4_OFFLINE") or _is_on(environ, "HF_HUB_OFFLINE"),
        api_key=environ.get("GEMMA4_API_KEY") or None,
        no_color=bool(environ.get("NO_COLOR")) or environ.get("TERM") == "dumb",
        serve={
            name: text
            for name, text in environ.items()
            if name.startswith("GEMMA4_SERVE_") and text
        },
        environ=dict(environ),
    )


def _home(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("GEMMA4_HOME"):
        return Path(chosen).expanduser()
    data = environ.get("XDG_DATA_HOME") or environ.get("LOCALAPPDATA")
    return Path(data) / "gemma4" if data else default_root()


def _is_on(environ: Mapping[str, str], name: str) -> bool:
    return environ.get(name, "").strip().lower() not in _FALSE
