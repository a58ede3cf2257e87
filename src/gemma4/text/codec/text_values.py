"""Read the texts in a tool call: between delimiters as documented, else between other quotes or none."""

import json
import re
from collections.abc import Collection

from .call_cursor import CLOSERS, NEXT_KEY, QUOTE, Cursor, UnreadableCall, spelled
from .tool_syntax import STRING_DELIMITER

_LOST_OPENING = re.compile(r",\s*[^\W\d][\w$@.-]{0,63}\s*[:=]\s*\Z")
_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_QUOTE_OR_ESCAPE = re.compile(r'(\\.)|"', re.DOTALL)
_DRIVE = re.compile(r"[A-Za-z]:\\(?!\\)")
_KEY_REACH = 200


def read_delimited(cursor: Cursor, name: str, siblings: Collection[str] | None) -> str:
    """Read a text between delimiters, verbatim; `name` is what repairs call it."""
    delimiter = QUOTE if cursor.text[cursor.position] == QUOTE else STRING_DELIMITER
    if delimiter != QUOTE:
        cursor.repair("delimiters spelled out in letters")
    start = cursor.position + len(delimiter)
    first = cursor.text.find(delimiter, start)
    end = _closing(cursor, start, first, delimiter, name, siblings)
    if end < 0:
        return _read_unclosed(cursor, start, name, siblings)
    if end != first:
        cursor.repair(f"a delimiter inside the text of {name}")
    cursor.position = end + len(delimiter)
    return spelled(cursor.text[start:end])


def read_quoted(cursor: Cursor, name: str, siblings: Collection[str] | None) -> str:
    """Read a text between ordinary quotes; quotes inside it that end nothing belong to it."""
    quote = cursor.text[cursor.position]
    start = cursor.position + 1
    first = cursor.text.find(quote, start)
    if quote == '"' and (match := _JSON_STRING.match(cursor.text, cursor.position)):
        first = match.end() - 1
    end = _closing(cursor, start, first, quote, name, siblings)
    if end < 0:
        return _read_unclosed(cursor, start, name, siblings)
    cursor.repair(f"{quote} quotes around {name}")
    if end != first:
        cursor.repair(f"{quote} quotes inside {name}")
    cursor.position = end + 1
    return _unescaped(spelled(cursor.text[start:end]), quote)


def _closing(
    cursor: Cursor,
    start: int,
    first: int,
    quote: str,
    name: str,
    siblings: Collection[str] | None,
) -> int:
    """Index of the quote, from `first` on, that ends the text begun at `start`; -1 if it is missing."""
    end = first
    while end >= 0:
        after = end + len(quote)
        if _ends(cursor, after, quote, siblings):
            return end
        if _LOST_OPENING.search(cursor.text, max(start, end - _KEY_REACH), end):
            return -1
        end = cursor.text.find(quote, after)
    follows = cursor.after_space(first + len(quote))
    if first < 0 or cursor.text[follows : follows + 1] in CLOSERS:
        return first
    raise UnreadableCall(f"unclear where the text of {name} ends")


def _ends(cursor: Cursor, after: int, quote: str, siblings: Collection[str] | None) -> bool:
    documented = quote == QUOTE
    if cursor.goes_on(after, siblings, strictly=documented):
        return True
    if siblings is None:  # a list whose comma is missing
        return documented and cursor.text.startswith(quote, after)
    return documented and NEXT_KEY.match(cursor.text, after) is not None


def _read_unclosed(cursor: Cursor, start: int, name: str, siblings: Collection[str] | None) -> str:
    """A text whose closing quote is missing; mended only where the model closed the call."""
    if cursor.ending != "closed":
        raise UnreadableCall(f"the text of {name} is not closed")
    cursor.position = cursor.plain_end(start, siblings)
    cursor.repair(f"missing closing quote of {name}")
    text = cursor.text[start : cursor.position].rstrip()
    return spelled(text.removesuffix(QUOTE).rstrip("\"'`"))


def _unescaped(text: str, quote: str) -> str:
    """Resolve backslashes: JSON's in double quotes unless it is a Windows path, else only the quote."""
    if quote != '"':
        return text.replace("\\" + quote, quote)
    if _DRIVE.match(text):
        return text
    escaped = _QUOTE_OR_ESCAPE.sub(lambda match: match.group(1) or '\\"', text)
    try:
        value = str(json.loads(f'"{escaped}"'))
    except ValueError:  # real line ends or unknown escapes: the model did not write JSON
        return text.replace('\\"', '"')
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
