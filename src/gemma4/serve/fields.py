"""Fields of what a client sent, checked where they are read: an error names the place."""

from collections.abc import Mapping, Sequence
from typing import Any

from .errors import RequestError


def text_of(value: Mapping[str, Any], key: str, where: str) -> str:
    """A text, which may be empty.

    Raises:
        RequestError: it is missing or something else.
    """
    text = value.get(key)
    if not isinstance(text, str):
        raise RequestError(f"{where}.{key} must be text", param=where)
    return text


def objects_of(value: Any, where: str) -> Sequence[Mapping[str, Any]]:
    """A list of objects; none at all is an empty one.

    Raises:
        RequestError: it is something else.
    """
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise RequestError(f"{where} must be a list of objects", param=where)
    return value
