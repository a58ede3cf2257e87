"""Subschemas that must all hold, as alternatives without `$ref`, `allOf`, `anyOf` and `oneOf`.

A conjunction is a sorted tuple of pointers; the empty one allows everything. As there are finitely many
pointers, references that go round in circles end, and a rule of a grammar stands for each conjunction.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import GrammarError
from .document import Document, child
from .findings import Findings
from .keywords import KINDS, checked_keywords

MAX_ALTERNATIVES = 1000

Conjunction = tuple[str, ...]
_ALL_KINDS = frozenset(KINDS)


def conjunction(pointers: Iterable[str]) -> Conjunction:
    """Pointers in order, each once."""
    return tuple(sorted(set(pointers)))


@dataclass(frozen=True, slots=True)
class Node:
    """A subschema, its combinators dealt with."""

    pointer: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Alternative:
    """One way to satisfy a conjunction: everything that these nodes say must hold."""

    nodes: tuple[Node, ...]

    @property
    def kinds(self) -> frozenset[str]:
        """The types that every node allows; `integer` without `number` where only whole ones may come."""
        kinds = _ALL_KINDS
        for node in self.nodes:
            if "type" in node.schema:
                kinds &= _kinds_of(node.schema["type"])
        return kinds

    def having(self, keyword: str) -> Iterator[tuple[Node, Any]]:
        """The nodes that have a keyword, and what it says."""
        for node in self.nodes:
            if keyword in node.schema:
                yield node, node.schema[keyword]

    @property
    def values(self) -> list[Any] | None:
        """What `enum` and `const` leave; None where neither is."""
        left: list[Any] | None = None
        for node in self.nodes:
            for keyword in ("enum", "const"):
                if keyword in node.schema:
                    said = node.schema[keyword] if keyword == "enum" else [node.schema[keyword]]
                    kept = said if left is None else [v for v in left if among(v, said)]
                    left = _without_repeats(kept)
        return left


class Conjunctions:
    """Takes conjunctions of one document apart."""

    def __init__(self, document: Document, findings: Findings) -> None:
        self._document, self._findings = document, findings
        self._nodes: dict[str, Node] = {}
        self._compared: set[str] = set()  # pointers of oneOf

    def alternatives(self, pointers: Conjunction) -> list[Alternative]:
        """All ways to satisfy a conjunction; none where it is a contradiction.

        Raises:
            GrammarError: there are too many, a keyword is malformed, or one that cannot be enforced
                may not be loosened.
        """
        found: list[Alternative] = []
        for alternative in self._spread(pointers, frozenset()):
            found.append(alternative)
            if len(found) > MAX_ALTERNATIVES:
                raise GrammarError(
                    f"the schema at {pointers[0] or '/'} has more than {MAX_ALTERNATIVES} combinations "
                    "of anyOf and oneOf; split it up",
                    pointer=pointers[0],
                    keyword="anyOf",
                )
        return found

    def _spread(self, pointers: Iterable[str], taken: frozenset[str]) -> Iterator[Alternative]:
        """Alternatives of these subschemas; `taken` are choices made, by the pointer of their anyOf."""
        nodes: dict[str, Node] = {}
        waiting = sorted(set(pointers))
        choices: list[tuple[str, str, int]] = []
        while waiting:
            pointer = waiting.pop()
            schema = self._document.at(pointer)
            if schema is False:
                return
            if pointer in nodes or schema is True:
                continue
            assert isinstance(schema, Mapping)
            nodes[pointer] = node = self._node(pointer, schema)
            waiting += self._implied(node)
            choices += [
                (pointer, keyword, len(schema[keyword]))
                for keyword in ("anyOf", "oneOf")
                if keyword in nodes[pointer].schema
            ]
        open_choices = [one for one in choices if child(one[0], one[1]) not in taken]
        if not open_choices:
            yield Alternative(tuple(nodes[pointer] for pointer in sorted(nodes)))
            return
        pointer, keyword, count = open_choices[0]
        branches = [child(pointer, keyword, index) for index in range(count)]
        if keyword == "oneOf":
            self._check_disjoint(pointer, [conjunction([*nodes, one]) for one in branches], taken)
        for branch in branches:
            yield from self._spread([*nodes, branch], taken | {child(pointer, keyword)})

    def _node(self, pointer: str, schema: Mapping[str, Any]) -> Node:
        if pointer not in self._nodes:
            enforced = checked_keywords(schema, pointer, self._document, self._findings)
            self._nodes[pointer] = Node(pointer, enforced)
        return self._nodes[pointer]

    def _implied(self, node: Node) -> list[str]:
        """What must hold too if this subschema does."""
        implied, pointer, schema = [], node.pointer, node.schema
        if "$ref" in schema:
            target = self._document.target(pointer, schema["$ref"])
            if target is None:
                reason = f"{schema['$ref']!r} leads to no schema in this document by JSON pointer"
                self._findings.unsupported(pointer, "$ref", reason)
            else:
                implied.append(target)
        count = len(schema.get("allOf", ()))
        return implied + [child(pointer, "allOf", index) for index in range(count)]

    def _check_disjoint(
        self, pointer: str, branches: list[Conjunction], taken: frozenset[str]
    ) -> None:
        """Note a `oneOf` that cannot be shown to be the same as `anyOf`."""
        if pointer in self._compared:
            return
        self._compared.add(pointer)
        here = taken | {child(pointer, "oneOf")}
        spread = [
            list(itertools.islice(self._spread(one, here), MAX_ALTERNATIVES)) for one in branches
        ]
        for one, other in itertools.combinations(spread, 2):
            if not all(self._exclude(a, b) for a in one for b in other):
                reason = "it is not plain that no value fits two of its schemas; use anyOf"
                self._findings.unsupported(pointer, "oneOf", reason)
                return

    def _exclude(self, one: Alternative, other: Alternative, depth: int = 0) -> bool:
        """Whether plainly no value satisfies both."""
        both = Alternative(one.nodes + other.nodes)
        values = both.values
        if values is not None:
            return not [value for value in values if kind_of(value) & both.kinds]
        if not both.kinds:
            return True
        if both.kinds != {"object"} or depth > 3:
            return False
        names = {name for _, said in both.having("required") for name in said}
        return any(self._exclude_member(one, other, name, depth) for name in sorted(names))

    def _exclude_member(self, one: Alternative, other: Alternative, name: str, depth: int) -> bool:
        """Whether what two objects say of a member that one of them must have excludes each other."""
        sides = []
        for side in (one, other):
            pointers = [
                child(node.pointer, "properties", name)
                for node, said in side.having("properties")
                if name in said
            ]
            sides.append(list(itertools.islice(self._spread(pointers, frozenset()), 16)))
        return len(sides[0]) < 16 > len(sides[1]) and all(
            self._exclude(a, b, depth + 1) for a in sides[0] for b in sides[1]
        )


def kind_of(value: Any) -> frozenset[str]:
    """The types that a JSON value has; a whole number has two."""
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int() | float():
            whole = value == int(value)
            return frozenset({"integer", "number"}) if whole else frozenset({"number"})
        case str():
            return frozenset({"string"})
        case list() | tuple():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})


def same(one: Any, other: Any) -> bool:
    """Whether JSON says that two values are equal: 1 is 1.0, but not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return bool(one == other)


def among(value: Any, values: Iterable[Any]) -> bool:
    """Whether a value is one of these."""
    return any(same(value, one) for one in values)


def _without_repeats(values: Iterable[Any]) -> list[Any]:
    left: list[Any] = []
    for value in values:
        if not among(value, left):
            left.append(value)
    return left


def _kinds_of(said: str | list[str]) -> frozenset[str]:
    kinds = {said} if isinstance(said, str) else set(said)
    return frozenset(kinds | {"integer"} if "number" in kinds else kinds)
