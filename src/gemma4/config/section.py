"""A strict reader of one JSON object: a key is asked for, passed over for a reason, or reported.

A reader notes what is wrong and goes on with a harmless value, so that one error lists everything.
It knows nothing of models.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from ..errors import ConfigError

MAX_INTEGER: Final = 2**31 - 1
"""The largest size or id taken; anything above is damage or an attack, not a model."""

_SHOWN_LENGTH = 60


class Section:
    """One object of a configuration file.

    Args:
        data: the object as JSON gave it.
        where: its path in the file, "" for the top level.
        problems: what is wrong, shared by the sections of one file.
    """

    def __init__(self, data: Mapping[str, object], where: str, problems: list[str]) -> None:
        self._data = data
        self._where = where
        self._problems = problems
        self._asked: set[str] = set()

    def path(self, key: str) -> str:
        """Path of a key in the file, as messages name it."""
        return f"{self._where}.{key}" if self._where else key

    def report(self, key: str, what: str) -> None:
        """Note what is wrong with a key."""
        self._problems.append(f"{self.path(key)} {what}")

    def has(self, key: str) -> bool:
        """Say whether a key is there and not null; asking counts as reading it."""
        self._asked.add(key)
        return self._data.get(key) is not None

    def holds(self, key: str) -> bool:
        """Say whether a key is there at all, null included."""
        self._asked.add(key)
        return key in self._data

    def raw(self, key: str) -> object:
        """Value of a key as JSON gave it, None if absent."""
        self._asked.add(key)
        return self._data.get(key)

    def integer(
        self, key: str, default: int | None = None, *, low: int = 1, high: int = MAX_INTEGER
    ) -> int:
        """Read a whole number; without a default it must be there. Returns `low` if it is wrong."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.report(key, f"is missing; give a whole number from {low} to {high}")
                return low
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self.report(key, f"= {shown(value)} is no whole number from {low} to {high}")
            return low
        return value

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        """Read a finite number in a range. Returns `high` if it is wrong."""
        value = self.raw(key)
        if value is None:
            if default is None:
                self.report(key, f"is missing; give a number from {low:g} to {high:g}")
                return high
            return default
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            self.report(key, f"= {shown(value)} is no number from {low:g} to {high:g}")
            return high
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Read true or false; null counts as absent."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            self.report(key, f"= {shown(value)} is neither true nor false")
            return default
        return value

    def choice(self, key: str, default: str, choices: Collection[str]) -> str:
        """Read one of some words; null counts as absent."""
        value = self.raw(key)
        if value is None:
            return default
        if not isinstance(value, str) or value not in choices:
            self.report(key, f"= {shown(value)} is not supported; supported: {', '.join(choices)}")
            return default
        return value

    def integers(self, key: str, *, high: int = MAX_INTEGER) -> tuple[int, ...]:
        """Read a whole number, or a list of them, from 0 on; () if absent."""
        value = self.raw(key)
        if value is None:
            return ()
        items = value if isinstance(value, list | tuple) else [value]
        whole = [i for i in items if isinstance(i, int) and not isinstance(i, bool)]
        if len(whole) == len(items) and all(0 <= i <= high for i in whole):
            return tuple(whole)
        self.report(
            key, f"= {shown(value)} is no whole number from 0 to {high}, nor a list of such"
        )
        return ()

    def section(self, key: str) -> "Section | None":
        """Open an inner object; None if it is absent or null."""
        value = self.raw(key)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.report(key, f"= {shown(value)} is no object")
            return None
        return Section(value, self.path(key), self._problems)

    def demand(self, key: str, allowed: Collection[object], remedy: str) -> None:
        """Report a key that is there with a value other than the supported ones."""
        value = self.raw(key)
        if value is None or any(
            value is a or (value == a and type(value) is type(a)) for a in allowed
        ):
            return
        self.report(key, f"= {shown(value)} is not supported; {remedy}")

    def ignore(self, keys: Iterable[str]) -> None:
        """Pass over keys that change nothing here; whoever calls has the reason written down."""
        self._asked.update(keys)

    def close(self) -> None:
        """Report every key that nobody asked for."""
        unknown = [key for key in self._data if key not in self._asked]
        for key in sorted(unknown, key=str):
            self._problems.append(f"{self.path(shown_key(key))} is an unknown key")


def shown(value: object) -> str:
    """Show a value from outside in one short line."""
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 10**30:
        return f"a number of {math.ceil(value.bit_length() * math.log10(2))} digits"
    text = repr(value)
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…"


def shown_key(key: object) -> str:
    """Show a key from outside in one short line."""
    text = str(key)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "…"


def raise_problems(problems: list[str], source: str) -> None:
    """Raise one error that lists every problem of a file; do nothing if there is none.

    Raises:
        ConfigError: there is at least one.
    """
    if not problems:
        return
    shown_problems = "; ".join(problems[:50])
    more = f"; and {len(problems) - 50} more" if len(problems) > 50 else ""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    raise ConfigError(
        f"{source} has {count}: {shown_problems}{more}. Give the file as it was published, "
        f"or report the key if it is new"
    )
