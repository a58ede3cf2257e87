"""Strict reading of a JSON-like mapping: every key is taken by somebody or named in an error."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import MessageError


class Fields:
    """The keys of one mapping, taken one by one.

    Args:
        value: what should be a mapping.
        where: how messages call it, such as `message 2` or `message 2, content part 0`.

    Raises:
        MessageError: if it is no mapping with text keys.
    """

    def __init__(self, value: Any, *, where: str) -> None:
        if not isinstance(value, Mapping):
            raise MessageError(f"{where} is {kind(value)}; it must be a mapping")
        self._rest = dict(value)
        self.where = where

    def take(self, key: str) -> Any:
        """The value of `key`, or None if it is missing or null."""
        return self._rest.pop(key, None)

    def text(self, key: str) -> str | None:
        """The text of `key`, or None if it is missing or null."""
        value = self.take(key)
        if value is not None and not isinstance(value, str):
            raise MessageError(f"{self.where}: {key} is {kind(value)}; it must be text")
        return value

    def required_text(self, key: str) -> str:
        """The text of `key`, which must be there and not be empty."""
        value = self.text(key)
        if not value:
            raise MessageError(f"{self.where} has no {key}; it must be a text that is not empty")
        return value

    def list(self, key: str) -> Sequence[Any]:
        """The list of `key`; empty if it is missing or null."""
        value = self.take(key)
        if value is not None and not isinstance(value, list | tuple):
            raise MessageError(f"{self.where}: {key} is {kind(value)}; it must be a list")
        return value or ()

    def must_be_absent(self, *keys: str) -> None:
        """Take keys that may be there only with nothing in them, as clients replay them."""
        for key in keys:
            if value := self.take(key):
                raise MessageError(
                    f"{self.where}: {key} is not understood, got {kind(value)}; leave it out"
                )

    def finish(self, *allowed: str) -> None:
        """Refuse what nobody took; `allowed` names the keys that exist."""
        if self._rest:
            names = ", ".join(map(repr, self._rest))
            raise MessageError(
                f"{self.where} has unknown keys {names}; known are {', '.join(allowed)}"
            )


def kind(value: Any) -> str:
    """A value as messages call it."""
    names = {
        str: "a text",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        type(None): "null",
    }
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    return names.get(type(value), f"of type {type(value).__name__}")
