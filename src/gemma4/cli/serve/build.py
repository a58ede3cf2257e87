"""From settled options to the server's settings."""

import math
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InputError

if TYPE_CHECKING:
    from ...serve.settings import Access, Limits, Loading, ServeSettings


def read_file(path: Path) -> dict[str, Any]:
    """The options in a TOML file.

    Raises:
        InputError: it is not there, or no TOML.
    """
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; check --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error


def build_settings(values: Mapping[str, Any]) -> "ServeSettings":
    """Settings of a server.

    Raises:
        InputError: a value out of range, an alias without a model, a file that cannot be read.
    """
    from ...serve.settings import ServeSettings

    if not values["port"] <= 65535:
        raise InputError(f"--port is {values['port']}; the largest is 65535")
    media_path = values["media_path"]
    if media_path is not None and not Path(media_path).is_dir():
        raise InputError(f"--media-path {media_path} is no folder; give one that exists")
    return ServeSettings(
        host=values["host"],
        port=values["port"],
        metrics=values["metrics"],
        media_path=None if media_path is None else Path(media_path),
        fetch_media=values["fetch_media"],
        log_prompts=values["log_prompts"],
        limits=_limits(values),
        access=_access(values),
        loading=_loading(values),
    )


def _limits(values: Mapping[str, Any]) -> "Limits":
    from ...serve.settings import Limits

    for name in ("requests_per_minute", "tokens_per_minute", "max_body"):
        if values[name] == 0:
            raise InputError(f"--{name.replace('_', '-')} is 0; give 1 or more, or leave it out")
    return Limits(
        body_bytes=values["max_body"],
        queue_length=values["queue_length"],
        queue_seconds=_bounded(values["queue_timeout"]),
        load_seconds=_bounded(values["load_timeout"]),
        request_seconds=_finite(values["request_timeout"]),
        requests_per_minute=values["requests_per_minute"],
        tokens_per_minute=values["tokens_per_minute"],
    )


def _access(values: Mapping[str, Any]) -> "Access":
    from ...serve.middleware.keys import hash_key
    from ...serve.settings import Access

    keys = (*values["api_key"], *_keys_of(values["api_key_file"]))
    return Access(
        key_hashes=tuple(hash_key(key) for key in keys),
        origins=values["cors"],
        hosts=values["allowed_host"],
    )


def _loading(values: Mapping[str, Any]) -> "Loading":
    from ...serve.settings import Loading

    for name in ("parallel", "max_models", "ctx", "threads"):
        if values[name] == 0:
            raise InputError(f"--{name.replace('_', '-')} is 0; give 1 or more")
    return Loading(
        context=values["ctx"],
        parallel=values["parallel"],
        device=values["device"],
        dtype=values["dtype"],
        kernels=values["kernels"],
        threads=values["threads"],
        kv_dtype=values["kv_dtype"],
        kv_memory=values["kv_memory"],
        drafter=None if values["drafter"] == "none" else values["drafter"],
        keep_alive=_finite(values["keep_alive"]),
        max_models=max(values["max_models"], len(values["models"])),
        aliases=read_aliases(values["alias"]),
    )


def read_aliases(words: Sequence[str]) -> dict[str, str]:
    """`claude-*=e4b` → what such names mean.

    Raises:
        InputError: one without a name or without a model.
    """
    found = {}
    for word in words:
        name, _, model = word.partition("=")
        if not name.strip() or not model.strip():
            raise InputError(f"--alias {word!r} must be NAME=MODEL, such as claude-*=e4b")
        found[name.strip()] = model.strip()
    return found


def _keys_of(path: str | None) -> tuple[str, ...]:
    """One key a line; empty lines and lines that begin with # are left out."""
    if path is None:
        return ()
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--api-key-file {path} cannot be read: {error}") from error
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not keys:
        raise InputError(f"--api-key-file {path} has no key; write one a line")
    return keys


def _finite(seconds: float | None) -> float | None:
    return None if seconds is None or math.isinf(seconds) else seconds


def _bounded(seconds: float) -> float:
    """For waits that always end: a week is as good as for ever."""
    return min(seconds, 7 * 86400.0)
