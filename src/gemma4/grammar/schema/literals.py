"""JSON values that are known beforehand, written with the same signs as those that are not."""

from collections.abc import Mapping
from typing import Any

from .rules import Rules, Sequence, literal
from .syntax import Syntax


def literal_value(value: Any, syntax: Syntax, rules: Rules) -> Sequence:
    """Exactly this value."""
    match value:
        case None:
            return ('"null"',)
        case bool():
            return ('"true"' if value else '"false"',)
        case str():
            return syntax.texts(rules, [value])
        case int() | float():
            return (literal(number_text(value)),)
        case Mapping():
            members = [
                (*syntax.key(name), *literal_value(value[name], syntax, rules))
                for name in syntax.ordered(value)
            ]
            return ('"{"', *_separated(members), '"}"')
        case _:
            items = [literal_value(item, syntax, rules) for item in value]
            return ('"["', *_separated(items), '"]"')


def number_text(value: int | float) -> str:
    """A number as JSON writes it; a whole one without a point."""
    whole = isinstance(value, float) and value.is_integer() and abs(value) < 1e16
    return repr(int(value)) if whole else repr(value)


def _separated(parts: list[Sequence]) -> Sequence:
    joined: list[Any] = []
    for part in parts:
        joined += ['","', *part] if joined else part
    return tuple(joined)
