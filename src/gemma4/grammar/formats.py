"""What an answer is to look like."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class JsonObject:
    """Some JSON object, without white space between its signs."""


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """JSON that a schema allows, without white space between its signs; members in the schema's order.

    Attributes:
        schema: JSON Schema as parsed JSON.
        strict: refuse a schema with a keyword that cannot be enforced; else only that spot is loosened,
            and a warning names it.
    """

    schema: Mapping[str, Any] | bool
    strict: bool = True


@dataclass(frozen=True, slots=True)
class Regex:
    """A text that a pattern matches as a whole, in the syntax of Rust's `regex` without look-around."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Lark:
    """A text of a context-free grammar in llguidance's kind of Lark; its rule `start` is the whole."""

    grammar: str


@dataclass(frozen=True, slots=True)
class Choices:
    """One of these texts."""

    texts: tuple[str, ...]


Format = JsonObject | JsonSchema | Regex | Lark | Choices
