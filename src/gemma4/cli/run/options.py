"""Sampling settings as words: `-o top_p=0.9`, `/set stop END`. Checked before any model is loaded."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from ...engine.sampling import Sampling
from ...errors import SamplingError

SETTINGS = tuple(field.name for field in fields(Sampling))
"""Every key."""

_MAY_BE_NONE = ("seed", "max_tokens", "logprobs")
_WORDS_FOR_BOOL = {"true": True, "on": True, "yes": True, "1": True} | {
    "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip


def collect_settings(pairs: Sequence[str] | None, **shortcuts: float | None) -> dict[str, Any]:
    """Settings of `-o KEY=VALUE` and of options of their own, None for those not given.

    Raises:
        SamplingError: a key is unknown or given twice, a value is of the wrong kind or out of range.
    """
    settings: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals:
            raise SamplingError(f"option {pair!r} has no value; write it as KEY=VALUE")
        key = find_setting(name)
        value = parse_setting(key, text)
        if key == "stop":
            value = (*settings.get(key, ()), *value)
        elif key in settings:
            raise SamplingError(f"{key} is given twice; give it once")
        settings[key] = value
    for key, value in shortcuts.items():
        if value is None:
            continue
        if key in settings:
            raise SamplingError(f"{key} is given twice, by -o and by --{key.replace('_', '-')}")
        settings[key] = value
    Sampling(**settings)
    return settings


def find_setting(name: str) -> str:
    """The key that a user means: hyphens and case do not matter.

    Raises:
        SamplingError: there is none; names the nearest and all of them.
    """
    key = name.strip().lower().replace("-", "_")
    if key in SETTINGS:
        return key
    near = difflib.get_close_matches(key, SETTINGS, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    raise SamplingError(f"there is no setting {name!r}; {hint}known: {', '.join(SETTINGS)}")


def parse_setting(key: str, text: str) -> Any:
    """Read the value of a key of `SETTINGS`.

    Lists of ids are written `1,2`; biases `ID:BIAS,ID:BIAS`; a stop string as it is, or in JSON
    where it needs escapes: `"\\n\\n"`, `["a", "b"]`.

    Raises:
        SamplingError: it is of the wrong kind or out of range.
    """
    try:
        value = _read(key, text.strip() if key != "stop" else text)
    except ValueError as error:
        raise SamplingError(f"{key}={text!r} is {_wanted(key)}") from error
    Sampling(**{key: value})
    return value


def format_setting(key: str, value: Any) -> str:
    """A value as `parse_setting` reads it."""
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case Mapping():
            return ",".join(f"{token}:{bias}" for token, bias in value.items())
        case tuple() if key == "stop":
            return json.dumps(value, ensure_ascii=False)
        case tuple():
            return ",".join(map(str, value))
        case _:
            return str(value)


def _read(key: str, text: str) -> Any:
    if key in _MAY_BE_NONE and text.lower() == "none":
        return None
    match key:
        case "top_k" | "seed" | "max_tokens" | "logprobs":
            return int(text)
        case "loop_guard":
            if text.lower() not in _WORDS_FOR_BOOL:
                raise ValueError(text)
            return _WORDS_FOR_BOOL[text.lower()]
        case "stop":
            return _read_stop(text)
        case "stop_ids" | "suppress_ids":
            return tuple(int(part) for part in text.split(",") if part)
        case "logit_bias":
            pairs = [part.split(":") for part in text.split(",") if part]
            return {int(token): float(bias) for token, bias in pairs}
        case _:
            return float(text)


def _read_stop(text: str) -> tuple[str, ...]:
    if not text.lstrip().startswith(('"', "[")):
        return (text,)
    found = json.loads(text)
    texts = [found] if isinstance(found, str) else found
    if not all(isinstance(item, str) for item in texts):
        raise ValueError(text)
    return tuple(texts)


def _wanted(key: str) -> str:
    match key:
        case "top_k":
            return "no whole number"
        case "seed" | "max_tokens" | "logprobs":
            return "neither a whole number nor none"
        case "loop_guard":
            return "neither on nor off"
        case "stop":
            return 'no JSON; a stop string that begins with " or [ must be written in JSON'
        case "stop_ids" | "suppress_ids":
            return "no list of ids; write 1,2"
        case "logit_bias":
            return "no list of biases; write ID:BIAS,ID:BIAS"
        case _:
            return "no number"
