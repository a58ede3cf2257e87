"""Every setting of `gemma4 serve`: its name, kind and default; as a flag, a variable, and a key of the file.

--queue-length 8    GEMMA4_SERVE_QUEUE_LENGTH=8    queue-length = 8
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ...errors import InputError
from .words import read_bool, read_bytes, read_list, read_number, read_seconds, read_text

PREFIX: Final = "GEMMA4_SERVE_"
CONFIG_VARIABLE: Final = f"{PREFIX}CONFIG"

READERS: Final = {
    "text": read_text,
    "number": read_number,
    "seconds": read_seconds,
    "bytes": read_bytes,
    "switch": read_bool,
    "list": read_list,
}


@dataclass(frozen=True, slots=True)
class Option:
    """One setting. `kind`: a key of `READERS`."""

    name: str
    kind: str
    default: Any = None

    @property
    def flag(self) -> str:
        """As a flag, and after the hyphens as a key of the file."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """Of the environment."""
        return PREFIX + self.name.upper()

    def read(self, value: object, where: str) -> Any:
        """A value of the environment or of the file.

        Raises:
            InputError: it is of another kind; says where.
        """
        try:
            return READERS[self.kind](value)
        except (ValueError, TypeError) as error:
            raise InputError(f"{where} is {value!r}, {error}") from error


OPTIONS: Final = (
    Option("models", "list", ()),
    Option("host", "text", "127.0.0.1"),
    Option("port", "number", 8080),
    Option("api_key", "list", ()),
    Option("api_key_file", "text"),
    Option("ctx", "number"),
    Option("parallel", "number", 4),
    Option("keep_alive", "seconds", 300.0),
    Option("max_models", "number", 3),
    Option("alias", "list", ()),
    Option("drafter", "text", "lookup"),
    Option("device", "text", "auto"),
    Option("dtype", "text", "auto"),
    Option("kernels", "text", "auto"),
    Option("threads", "number"),
    Option("kv_dtype", "text", "auto"),
    Option("kv_memory", "bytes"),
    Option("cors", "list", ()),
    Option("allowed_host", "list", ()),
    Option("metrics", "switch", True),
    Option("media_path", "text"),
    Option("fetch_media", "switch", False),
    Option("log_prompts", "switch", False),
    Option("tools", "list", ()),
    Option("mcp", "list", ()),
    Option("max_body", "bytes", 256 * 2**20),
    Option("queue_length", "number", 64),
    Option("queue_timeout", "seconds", 600.0),
    Option("load_timeout", "seconds", 600.0),
    Option("request_timeout", "seconds"),
    Option("requests_per_minute", "number"),
    Option("tokens_per_minute", "number"),
    Option("shutdown_seconds", "seconds", 30.0),
)


def settle(
    flags: Mapping[str, Any], environ: Mapping[str, str], file: Mapping[str, Any], file_name: str
) -> dict[str, Any]:
    """One value for each option: the flag's, else the variable's, else the file's, else the default.

    Args:
        flags: by name; None for one that was not given.

    Raises:
        InputError: a value of the wrong kind, or a key or variable that no option has.
    """
    by_key = {key.replace("-", "_"): value for key, value in file.items()}
    _check_known(by_key, {option.name for option in OPTIONS}, file_name)
    _check_known(environ, {option.variable for option in OPTIONS}, "the environment")
    found: dict[str, Any] = {}
    for option in OPTIONS:
        if flags.get(option.name) is not None:
            found[option.name] = option.read(flags[option.name], option.flag)
        elif environ.get(option.variable):
            found[option.name] = option.read(environ[option.variable], option.variable)
        elif option.name in by_key:
            where = f"{option.flag[2:]} in {file_name}"
            found[option.name] = option.read(by_key[option.name], where)
        else:
            found[option.name] = option.default
    return found


def _check_known(given: Mapping[str, Any], known: set[str], where: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InputError(
            f"{where} sets {', '.join(unknown)}, which no option of `gemma4 serve` is called; "
            f"there are {', '.join(sorted(known))}"
        )
