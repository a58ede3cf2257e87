"""Values as flags, variables and TOML give them: text, numbers, sizes, durations, switches, lists.

Each reader raises a ValueError that goes on with "…, " behind the value.
"""

import re
from collections.abc import Sequence
from typing import Final

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
FOREVER: Final = float("inf")


def read_text(value: object) -> str:
    """Text as it is."""
    if not isinstance(value, str):
        raise ValueError("which is no text")
    return value


def read_number(value: object) -> int:
    """A whole number that is not negative."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise ValueError("which is no whole number")


def read_seconds(value: object) -> float:
    """`90`, `90s`, `5m`, `1h`; a negative number, or `forever`, without end."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if value >= 0 else FOREVER
    text = str(value).strip().lower()
    if text == "forever" or re.fullmatch(r"-\d+(ms|s|m|h|d)?", text):
        return FOREVER
    if (found := _DURATION.fullmatch(text)) is None:
        raise ValueError("which is no time; write 90, 90s, 5m, 1h or forever")
    return float(found[1]) * _SECONDS[found[2] or "s"]


def read_bytes(value: object) -> int:
    """`1000000`, `64MB`, `64MiB`, `2g`."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise ValueError("which is no size; write 1000000, 64MB or 64MiB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** _POWERS[found[2].lower()])


def read_bool(value: object) -> bool:
    """`true`, `on`, `1` and their opposites."""
    word = str(value).strip().lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise ValueError("which is neither on nor off")


def read_list(value: object) -> tuple[str, ...]:
    """A list, or words with commas between them."""
    if isinstance(value, str):
        return tuple(word.strip() for word in value.split(",") if word.strip())
    if isinstance(value, Sequence) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise ValueError("which is no list of texts")
