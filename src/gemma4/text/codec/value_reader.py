"""Read the values inside a tool call: strictly where they are as documented, mended where not.

Every mending is noted on the cursor. Values are not coerced to the declared schema, but for one case:
a number or word without quotes where the schema asks for text is that text.
"""

import json
import math
import re
from collections.abc import Collection, Mapping
from typing import Any

from .call_cursor import (
    BARE_KEY,
    CLOSERS,
    DELIMITED_KEY,
    NEXT_ITEM,
    NEXT_KEY,
    PAIRS,
    QUOTE,
    Cursor,
    UnreadableCall,
    spelled,
)
from .text_values import read_delimited, read_quoted
from .tool_syntax import MAX_DEPTH, STRING_DELIMITER

_SCALAR = re.compile(r"[^\s,(){}\[\]\"'`<>\ud800-\ud802]++")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_LOOSE_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_QUOTED_KEY = re.compile(r"""(["'`]|<\|"\|>)([^\n]{0,256}?)\1\s*([:=])""")
_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None, "none": None}
_DOCUMENTED_WORDS = frozenset({"true", "false", "null", "None"})

Schema = Mapping[str, Any]


def read_fields(
    cursor: Cursor, schema: Schema, positional: list[Any] | None = None
) -> dict[str, Any]:
    """Read `{key:value,…}` or `(key=value,…)` from its opening bracket on.

    Args:
        schema: JSON Schema of the object, empty if unknown.
        positional: where values without a key go; without it they are unreadable.
    """
    _open(cursor)
    fields: dict[str, Any] = {}
    while _more(cursor):
        key = _read_key(cursor)
        if key is not None:
            if key in fields:
                cursor.repair(f"{key!r} was given twice; the last was taken")
            fields[key] = read_value(cursor, _member(schema, key), repr(key), properties_of(schema))
        elif positional is not None:
            inner = schema if cursor.text[cursor.position] == "{" else {}
            positional.append(read_value(cursor, inner, f"value {len(positional) + 1}", None))
        else:
            raise UnreadableCall(f"no key at {cursor.here}")
        _separate(cursor, NEXT_KEY)
    return fields


def read_value(cursor: Cursor, schema: Schema, name: str, siblings: Collection[str] | None) -> Any:
    """Read one value.

    Args:
        schema: JSON Schema of the value, empty if unknown.
        name: what repairs call the value.
        siblings: keys that may follow, empty if unknown; `None` inside a list.
    """
    first = cursor.skip_space()
    if first == QUOTE or cursor.text.startswith(STRING_DELIMITER, cursor.position):
        return read_delimited(cursor, name, siblings)
    if first and first in "\"'`":
        return read_quoted(cursor, name, siblings)
    if first == "{":
        return read_fields(cursor, schema)
    if first == "[":
        return _read_items(cursor, schema, name)
    return _read_bare(cursor, schema, name, siblings)


def properties_of(schema: Schema) -> Mapping[str, Any]:
    """The declared properties of an object, empty if none are."""
    properties = schema.get("properties")
    return properties if isinstance(properties, Mapping) else {}


def _read_items(cursor: Cursor, schema: Schema, name: str) -> list[Any]:
    _open(cursor)
    declared = schema.get("items")
    member = declared if isinstance(declared, Mapping) else {}
    items: list[Any] = []
    while _more(cursor):
        items.append(read_value(cursor, member, name, None))
        _separate(cursor, NEXT_ITEM)
    return items


def _open(cursor: Cursor) -> None:
    if len(cursor.closers) > MAX_DEPTH:
        raise UnreadableCall(f"lists and maps more than {MAX_DEPTH} deep")
    cursor.closers.append(PAIRS[cursor.text[cursor.position]])
    cursor.position += 1


def _more(cursor: Cursor) -> bool:
    """Whether another entry follows; steps over the closing bracket if not."""
    while cursor.skip_space() == ",":
        cursor.repair("a comma too many")
        cursor.position += 1
    found = cursor.text[cursor.position : cursor.position + 1]
    if found and found not in CLOSERS:
        return True
    wanted = cursor.closers.pop()
    if not found and cursor.ending == "cut":
        raise UnreadableCall("it was cut off before its end")
    if not found or (found != wanted and found in cursor.closers):
        cursor.repair(f"missing {wanted!r}")
        return False
    if found != wanted:
        cursor.repair(f"{found!r} in place of {wanted!r}")
    cursor.position += 1
    return False


def _separate(cursor: Cursor, following: re.Pattern[str]) -> None:
    """Step over the comma between two entries."""
    found = cursor.skip_space()
    if found == QUOTE and not following.match(cursor.text, cursor.position):
        cursor.repair("a delimiter too many")
        cursor.position += 1
        found = cursor.skip_space()
    if found == ",":
        cursor.position += 1
        if cursor.skip_space() in CLOSERS:
            cursor.repair("a comma too many")
    elif found and found not in CLOSERS:
        if not following.match(cursor.text, cursor.position):
            raise UnreadableCall(f"unexpected {cursor.here}")
        cursor.repair("missing ','")


def _read_key(cursor: Cursor) -> str | None:
    text, start = cursor.text, cursor.position
    match = BARE_KEY.match(text, start) or DELIMITED_KEY.match(text, start)
    if match is not None:
        key, separator = match.groups()
    elif match := _QUOTED_KEY.match(text, start):
        _, key, separator = match.groups()
        cursor.repair("keys in quotes")
    else:
        return None
    if separator == "=":
        cursor.repair("'=' in place of ':'")
    cursor.position = match.end()
    return spelled(key)


def _read_bare(cursor: Cursor, schema: Schema, name: str, siblings: Collection[str] | None) -> Any:
    """Read a number, a word, or text without any quotes."""
    start = cursor.position
    if match := _SCALAR.match(cursor.text, start):
        written = match.group()
        value = _scalar(written)
        literal = not isinstance(value, str)
        if cursor.goes_on(match.end(), siblings, strictly=literal):
            cursor.position = match.end()
            if not literal or (value is not None and _wants_text(schema)):
                cursor.repair(f"no quotes around {name}")
                return written
            _note_spelling(cursor, written)
            return value
    end = cursor.plain_end(start, siblings)
    cursor.position = end
    written = cursor.text[start:end].strip().removesuffix(QUOTE)
    if not written:
        cursor.repair(f"{name} has no value")
        return "" if _wants_text(schema) else None
    cursor.repair(f"no quotes around {name}")
    return spelled(written)


def _scalar(written: str) -> Any:
    """The number, truth value or null that a word spells, else the word itself."""
    if written.lower() in _WORDS:
        return _WORDS[written.lower()]
    if _LOOSE_NUMBER.fullmatch(written) is None:
        return written
    try:
        number = int(written) if written.lstrip("+-").isdigit() else float(written)
    except ValueError:  # Python reads no integer of more than 4300 digits
        return written
    return number if math.isfinite(number) else written


def _note_spelling(cursor: Cursor, written: str) -> None:
    if written.lower() in _WORDS:
        if written not in _DOCUMENTED_WORDS:
            cursor.repair(f"{written} in place of {json.dumps(_WORDS[written.lower()])}")
    elif _NUMBER.fullmatch(written) is None:
        cursor.repair(f"{written} is no JSON number")


def _member(schema: Schema, key: str) -> Schema:
    member = properties_of(schema).get(key)
    return member if isinstance(member, Mapping) else {}


def _wants_text(schema: Schema) -> bool:
    """Whether the schema allows text and nothing else but null."""
    kinds = schema.get("type")
    allowed = {kinds} if isinstance(kinds, str) else set()
    if isinstance(kinds, list | tuple):
        allowed = {kind for kind in kinds if isinstance(kind, str)}
    return "string" in allowed and allowed <= {"string", "null"}
