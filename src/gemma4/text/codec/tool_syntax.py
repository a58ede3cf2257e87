"""How tool calls and tool responses are written: the rendering half of the codec (`codec` reads them back).

    <|tool_call>call:NAME{key:VALUE,…}<tool_call|>
    <|tool_response>response:NAME{key:VALUE,…}<tool_response|>

A VALUE is `<|"|>text<|"|>`, `true`, `false`, `null`, a number, `[VALUE,…]` or `{key:VALUE,…}`. Keys are
bare and sorted without regard to case. Byte for byte what the published chat templates of July 2026
print; it knows nothing of turns.

The delimiter `<|"|>` has no escape. A text that holds it is pasted as it is, as the templates do;
whoever turns the result into ids must encode the user's own texts with special tokens disallowed, so
that the spelling stays text. A key that holds `:`, `,`, `=`, quotes or brackets is printed bare too and
cannot be told apart when read back (`is_bare_key`); with `quote_keys` every key can.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import MessageError

STRING_DELIMITER = '<|"|>'
MAX_DEPTH = 64
"""Lists and maps within each other that are written or read; deeper ones are refused."""

_BARE_KEY = re.compile(
    r"""[^\s:=,(){}\[\]"'`<>|](?:[^:=,(){}\[\]"'`<>|]*[^\s:=,(){}\[\]"'`<>|])?"""
)


def format_call(name: str, arguments: Mapping[str, Any]) -> str:
    """Write one call with its markers: `<|tool_call>call:f{a:1}<tool_call|>`."""
    return f"<|tool_call>call:{name}{_braced(arguments, quote_keys=False, depth=1)}<tool_call|>"


def format_response(name: str, value: Any) -> str:
    """Write what tool `name` answered, with its markers; anything but a map becomes `{value:…}`."""
    fields = value if isinstance(value, Mapping) else {"value": value}
    body = _braced(fields, quote_keys=False, depth=1)
    return f"<|tool_response>response:{name}{body}<tool_response|>"


def format_argument(value: Any, *, quote_keys: bool = True) -> str:
    """Write one JSON value; `quote_keys` puts keys between delimiters, as declarations do.

    Raises:
        MessageError: for what JSON cannot hold, or lists and maps deeper than `MAX_DEPTH`.
    """
    return _argument(value, quote_keys=quote_keys, depth=0)


def is_bare_key(key: str) -> bool:
    """Whether a key written bare is read back as the same key."""
    return _BARE_KEY.fullmatch(key) is not None


def dictsort(mapping: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Items sorted by key without regard to case; keys equal but for case keep their order."""
    return sorted(mapping.items(), key=lambda item: str(item[0]).lower())


def _argument(value: Any, *, quote_keys: bool, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise MessageError(
            f"a tool value has lists and maps more than {MAX_DEPTH} deep; flatten it"
        )
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"{STRING_DELIMITER}{value}{STRING_DELIMITER}"
        case int() | float():
            return _number(value)
        case Mapping():
            return _braced(value, quote_keys=quote_keys, depth=depth + 1)
        case list() | tuple():
            items = (_argument(item, quote_keys=quote_keys, depth=depth + 1) for item in value)
            return f"[{','.join(items)}]"
        case _:
            raise MessageError(
                f"a tool value of type {type(value).__name__} cannot be written; "
                "use str, int, float, bool, None, list or dict"
            )


def _braced(mapping: Mapping[str, Any], *, quote_keys: bool, depth: int) -> str:
    return f"{{{','.join(_entries(mapping, quote_keys=quote_keys, depth=depth))}}}"


def _entries(mapping: Mapping[str, Any], *, quote_keys: bool, depth: int) -> Iterable[str]:
    quote = STRING_DELIMITER if quote_keys else ""
    for key, value in dictsort(mapping):
        yield f"{quote}{key}{quote}:{_argument(value, quote_keys=quote_keys, depth=depth)}"


def _number(value: int | float) -> str:
    """The number as Python prints it, as the templates do."""
    try:
        return str(value)
    except ValueError as error:  # Python prints no integer of more than 4300 digits
        raise MessageError(f"a tool value cannot be written: {error}; send it as text") from error
