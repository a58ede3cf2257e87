"""One JSON Schema document: its bounds, its subschemas by pointer, and where its references lead."""

import math
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from ...errors import GrammarError

MAX_CHARACTERS = 1_000_000
MAX_VALUES = 50_000
MAX_DEPTH = 64

_KNOWN = re.compile(r"https?://json-schema\.org/(draft-0[4-7]|draft/20(19-09|20-12))/schema#?")
_OLD = re.compile(r"https?://json-schema\.org/draft-0[4-7]/")

Schema = Mapping[str, Any] | bool


class Document:
    """A schema that was checked for its bounds. A subschema is known by its JSON pointer.

    Attributes:
        known_dialect: False if `$schema` names one that is not JSON Schema's own.
        lonely_refs: whether keywords beside `$ref` mean nothing, as before 2019.

    Raises:
        GrammarError: it is larger or deeper than the bounds, or holds what JSON does not.
    """

    def __init__(self, schema: object) -> None:
        if not isinstance(schema, Mapping | bool):
            raise GrammarError(
                f"a schema is an object or a truth value, not {type(schema).__name__}", pointer=""
            )
        check_bounds(schema)
        self._root: Schema = schema
        dialect = schema.get("$schema", "") if isinstance(schema, Mapping) else ""
        self._id = schema.get("$id", "") if isinstance(schema, Mapping) else ""
        self.known_dialect = dialect == "" or _KNOWN.fullmatch(str(dialect)) is not None
        self.lonely_refs = _OLD.match(str(dialect)) is not None

    def at(self, pointer: str) -> Schema:
        """The subschema there.

        Raises:
            GrammarError: what stands there is no schema.
        """
        found = self._find(pointer)
        if not isinstance(found, Mapping | bool):
            raise GrammarError(
                f"what stands at {pointer} is no schema, which is an object or a truth value",
                pointer=pointer,
            )
        return found

    def target(self, pointer: str, reference: str) -> str | None:
        """Where the `$ref` of the subschema at `pointer` leads; None where it cannot be followed."""
        address, _, fragment = reference.partition("#")
        if address not in ("", self._id) or self._is_embedded(pointer):
            return None
        if fragment and not fragment.startswith("/"):
            return None
        target = unquote(fragment)
        try:
            found = self._find(target)
        except LookupError:
            return None
        return target if isinstance(found, Mapping | bool) else None

    def _is_embedded(self, pointer: str) -> bool:
        """Whether an `$id` on the way makes references mean another document."""
        place: Any = self._root
        for part in _parts(pointer):
            place = place[part if isinstance(place, Mapping) else int(part)]
            if isinstance(place, Mapping) and isinstance(place.get("$id"), str):
                return True
        return False

    def _find(self, pointer: str) -> Any:
        place: Any = self._root
        for part in _parts(pointer):
            if isinstance(place, list | tuple):
                place = place[int(part) if part.isdigit() else len(place)]
            elif isinstance(place, Mapping):
                place = place[part]
            else:
                raise LookupError(pointer)
        return place


def child(pointer: str, *parts: str | int) -> str:
    """The pointer that goes on from another."""
    escaped = (str(part).replace("~", "~0").replace("/", "~1") for part in parts)
    return "/".join((pointer, *escaped))


def _parts(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def check_bounds(schema: object) -> None:
    """Refuse what is too large or deep, or no JSON.

    Raises:
        GrammarError: with the number and its limit.
    """
    values, characters = 0, 0
    waiting: list[tuple[Any, int]] = [(schema, 1)]
    while waiting:
        value, depth = waiting.pop()
        values += 1
        if isinstance(value, str):
            characters += len(value)
        elif isinstance(value, Mapping):
            characters += sum(map(len, map(str, value)))
            waiting += [(inner, depth + 1) for inner in value.values()]
        elif isinstance(value, list | tuple):
            waiting += [(inner, depth + 1) for inner in value]
        elif isinstance(value, float) and not math.isfinite(value):
            raise GrammarError(f"a schema holds the number {value}, which JSON does not have")
        elif not isinstance(value, bool | int | float | None):
            raise GrammarError(f"a schema holds a {type(value).__name__}, which JSON does not")
        _refuse_beyond(depth, MAX_DEPTH, "levels deep")
        _refuse_beyond(values + len(waiting), MAX_VALUES, "values")
        _refuse_beyond(characters, MAX_CHARACTERS, "characters of text")


def _refuse_beyond(found: int, limit: int, what: str) -> None:
    if found > limit:
        raise GrammarError(
            f"the schema is at least {found} {what}, the limit is {limit}; make it smaller",
            pointer="",
        )
