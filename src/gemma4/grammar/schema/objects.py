"""Objects: members by name in a fixed order, each at most once, then free ones.

A rule stands for each place in the order and for how many members were written before it, as far as that
matters: for the comma, and for bounds on their number.
"""

from dataclasses import dataclass

from ...errors import GrammarError
from .lists import RuleOf
from .members import Members
from .rules import Item, Ref, Repeat, Rules, Sequence
from .syntax import Syntax

MAX_STATES = 10_000


def object_body(members: Members, syntax: Syntax, rules: Rules, rule_of: RuleOf) -> Sequence:
    """One way to write the objects with these members."""
    writer = _ObjectWriter(members, syntax, rules, rule_of)
    return ('"{"', writer.start(), '"}"')


@dataclass(slots=True)
class _Counting:
    """How many members there may be, and up to what number they are told apart."""

    shortest: int
    longest: int | None
    most: int


class _ObjectWriter:
    def __init__(self, members: Members, syntax: Syntax, rules: Rules, rule_of: RuleOf) -> None:
        self._members, self._syntax, self._rules = members, syntax, rules
        self._names = syntax.ordered(members.named)
        self._values = {name: rule_of(value) for name, value in members.named.items()}
        self._free = self._free_bodies(rule_of)
        bounded = members.shortest > len(members.required) or self._may_exceed(members.longest)
        longest = members.longest if bounded else None
        shortest = members.shortest if bounded else 0
        self._counting = _Counting(shortest, longest, max(1, shortest, (longest or 0) + 1))
        if len(self._names) * self._counting.most > MAX_STATES:
            raise GrammarError(
                f"an object of {len(self._names)} members with bounds on their number is too large; "
                "leave out minProperties and maxProperties",
                keyword="maxProperties",
            )
        self._states: dict[tuple[int, int], Ref] = {}

    def start(self) -> Ref:
        """Write the rules for all places and counts; return that of no member before the first place."""
        for place in range(len(self._names), -1, -1):
            for count in range(min(self._counting.most, place) + 1):
                self._write(place, count)
        return self._states[0, 0]

    def _write(self, place: int, count: int) -> None:
        """Write what follows when `count` members were written of those before `place`."""
        state = self._states[place, count] = Ref(self._rules.fresh())
        if place == len(self._names):
            self._rules.define(state.name, self._ends(count))
            return
        name = self._names[place]
        bodies: list[Sequence] = []
        if self._counting.longest is None or count < self._counting.longest:
            following = self._states[place + 1, min(count + 1, self._counting.most)]
            comma = ('","',) if count else ()
            bodies.append((*comma, *self._syntax.key(name), self._values[name], following))
        if name not in self._members.required:
            bodies.append((self._states[place + 1, count],))
        self._rules.define(state.name, bodies)

    def _ends(self, count: int) -> list[Sequence]:
        """What may follow the last member that has a name: free ones, or nothing."""
        bounds = self._counting
        low = max(bounds.shortest - count, 0)
        high = None if bounds.longest is None else bounds.longest - count
        if high is not None and high < low:
            return []
        bodies: list[Sequence] = [] if low else [()]
        if not self._free or high == 0:
            return bodies
        pair: Item = self._rules.define(self._rules.fresh(), self._free)
        rest = Repeat(('","', pair), max(low - 1, 0), None if high is None else high - 1)
        return [*bodies, (*(('","',) if count else ()), pair, rest)]

    def _free_bodies(self, rule_of: RuleOf) -> list[Sequence]:
        return [
            (*key, rule_of(free.value))
            for free in self._members.free
            for key in self._syntax.free_key(
                self._rules, free.names, self._members.named, free.avoid
            )
        ]

    def _may_exceed(self, longest: int | None) -> bool:
        return longest is not None and (bool(self._members.free) or longest < len(self._names))
