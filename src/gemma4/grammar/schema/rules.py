"""Rules of a context-free grammar, kept free of what no text can complete, and written as Lark."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import GrammarError

MAX_RULES = 20_000


@dataclass(frozen=True, slots=True)
class Ref:
    """The rule of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """A sequence `low` to `high` times; None is without end."""

    items: "Sequence"
    low: int
    high: int | None


Item = str | Ref | Repeat
"""A string is Lark as it stands: a literal, a terminal's name, a special token."""
Sequence = tuple[Item, ...]


class Rules:
    """Rules by name, each a list of alternatives; terminals by content."""

    def __init__(self) -> None:
        self._rules: dict[str, list[Sequence]] = {}
        self._terminals: dict[str, str] = {}
        self._fresh = 0

    def fresh(self) -> str:
        """A name that no other rule has."""
        self._fresh += 1
        return f"r{self._fresh}"

    def define(self, name: str, alternatives: list[Sequence]) -> Ref:
        """Write the rule of this name.

        Raises:
            GrammarError: there are too many.
        """
        if len(self._rules) >= MAX_RULES:
            raise GrammarError(f"the schema needs more than {MAX_RULES} rules; make it smaller")
        self._rules[name] = alternatives
        return Ref(name)

    def terminal(self, content: str) -> str:
        """The name of the terminal of this content."""
        return self._terminals.setdefault(content, f"T{len(self._terminals)}")

    def is_possible(self, rule: Ref) -> bool:
        """Whether some text satisfies a rule."""
        return rule.name in self._productive()

    def lark(self, start: Ref) -> str | None:
        """Lark text of all that `start` needs; None where no text satisfies it."""
        productive = self._productive()
        if start.name not in productive:
            return None
        lines, done, waiting = [], {start.name}, [start.name]
        while waiting:
            name = waiting.pop()
            kept = [_live(one, productive) for one in self._rules[name]]
            bodies = [one for one in kept if one is not None]
            lines.append(f"{name}: {' | '.join(map(_sequence, bodies))}")
            for ref in (ref for body in bodies for ref in _refs(body)):
                if ref.name not in done:
                    done.add(ref.name)
                    waiting.append(ref.name)
        lines += [f"{name}: {content}" for content, name in self._terminals.items()]
        return "\n".join(lines)

    def _productive(self) -> set[str]:
        """Names of the rules that some text completes."""
        found: set[str] = set()
        users: dict[str, set[str]] = {}
        for name, alternatives in self._rules.items():
            for ref in (ref for body in alternatives for ref in _refs(body)):
                users.setdefault(ref.name, set()).add(name)
        waiting = list(self._rules)
        while waiting:
            name = waiting.pop()
            if name not in found and any(
                _live(one, found) is not None for one in self._rules[name]
            ):
                found.add(name)
                waiting += users.get(name, ())
        return found


def literal(text: str) -> str:
    """Lark of exactly this text."""
    return json.dumps(text, ensure_ascii=False)


def _live(items: Sequence, productive: set[str]) -> Sequence | None:
    """The sequence without repeats that cannot come even once; None if something cannot that must."""
    kept: list[Item] = []
    for item in items:
        if isinstance(item, Ref) and item.name not in productive:
            return None
        if isinstance(item, Repeat):
            inner = _live(item.items, productive)
            if inner is None and item.low:
                return None
            if inner is None or item.high == 0:
                continue
            item = Repeat(inner, item.low, item.high)
        kept.append(item)
    return tuple(kept)


def _refs(items: Sequence) -> Iterator[Ref]:
    for item in items:
        if isinstance(item, Ref):
            yield item
        elif isinstance(item, Repeat):
            yield from _refs(item.items)


def _sequence(items: Sequence) -> str:
    return " ".join(map(_item, items)) or '""'


def _item(item: Item) -> str:
    match item:
        case str():
            return item
        case Ref():
            return item.name
        case Repeat(items, low, high):
            times = "*" if (low, high) == (0, None) else f"{{{low},{'' if high is None else high}}}"
            return f"({_sequence(items)}){times}"
