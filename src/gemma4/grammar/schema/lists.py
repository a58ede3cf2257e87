"""Lists: what each place may hold, and how many there may be."""

from collections.abc import Callable, Iterable

from .conjunction import Alternative, Node
from .document import child
from .findings import Findings
from .rules import Item, Ref, Repeat, Sequence

MAX_PLACES = 1000

RuleOf = Callable[[Iterable[str]], Ref]
"""The rule for values that satisfy all these subschemas."""


def list_bodies(alternative: Alternative, rule_of: RuleOf, findings: Findings) -> list[Sequence]:
    """Ways to write the lists of an alternative."""
    shortest = max((int(count) for _, count in alternative.having("minItems")), default=0)
    longest = min((int(count) for _, count in alternative.having("maxItems")), default=None)
    for node, unique in alternative.having("uniqueItems"):
        if unique and (longest is None or longest > 1):
            reason = "a grammar cannot look back at the items before"
            findings.unsupported(node.pointer, "uniqueItems", reason)
    places = max((_num_places(node) for node in alternative.nodes), default=0)
    if places > MAX_PLACES:
        findings.unsupported(alternative.nodes[0].pointer, "prefixItems", f"more than {MAX_PLACES}")
        places = MAX_PLACES
    if longest is not None and longest < shortest:
        return []
    firsts = [rule_of(_at(alternative, place)) for place in range(places)]
    others = rule_of(_at(alternative, None))
    stops = range(shortest, min(places, places if longest is None else longest) + 1)
    # Lists that end among the first places, each a body of its own; then those that go on.
    bodies = [_joined(firsts[:length], None) for length in stops if length < places]
    if longest is None or longest >= places:
        bodies += _going_on(firsts, others, max(shortest - places, 0), longest, places)
    return bodies


def _going_on(
    firsts: list[Ref], others: Ref, low: int, longest: int | None, places: int
) -> list[Sequence]:
    """Lists with all first places, and `low` or more others."""
    high = None if longest is None else longest - places
    if firsts:
        return [_joined(firsts, Repeat(('","', others), low, high))]
    bodies = [] if low else [_joined([], None)]
    if high != 0:
        rest = Repeat(('","', others), max(low - 1, 0), None if high is None else high - 1)
        bodies.append(_joined([others], rest))
    return bodies


def _joined(items: list[Ref], rest: Repeat | None) -> Sequence:
    inner: list[Item] = []
    for item in items:
        inner += ['","', item] if inner else [item]
    return ('"["', *inner, *((rest,) if rest else ()), '"]"')


def _num_places(node: Node) -> int:
    """How many places have a schema of their own, in either spelling."""
    items = node.schema.get("items")
    if isinstance(items, list | tuple):
        return len(items)
    return len(node.schema.get("prefixItems", ()))


def _at(alternative: Alternative, place: int | None) -> list[str]:
    """The subschemas of an item; None is one behind all places."""
    found = []
    for node in alternative.nodes:
        items = node.schema.get("items")
        old = isinstance(items, list | tuple)
        keyword, others = ("items", "additionalItems") if old else ("prefixItems", "items")
        if place is not None and place < _num_places(node):
            found.append(child(node.pointer, keyword, place))
        elif others in node.schema:
            found.append(child(node.pointer, others))
    return found
