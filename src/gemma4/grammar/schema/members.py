"""What a schema says of the members of an object: which have names, which are free, how many there are."""

import itertools
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from .conjunction import Alternative, Conjunction, Conjunctions, Node, conjunction
from .document import child
from .findings import Findings
from .patterns import UnsupportedPattern, python_pattern
from .syntax import text_lark
from .text_rule import ANY_TEXT, PatternCheck, TextRule, checked_pattern, meet, text_rule

MAX_PATTERNS = 4


@dataclass(frozen=True, slots=True)
class FreeMember:
    """Members whose names fit a rule and match none of the patterns `avoid`."""

    names: TextRule
    avoid: tuple[str, ...]
    value: Conjunction


@dataclass(frozen=True, slots=True)
class Members:
    """All there may be.

    Attributes:
        named: the subschemas of members by name; what must hold of one together.
        longest, shortest: numbers of members in all.
    """

    named: dict[str, Conjunction]
    required: frozenset[str]
    free: tuple[FreeMember, ...]
    shortest: int
    longest: int | None


class MemberReader:
    """Reads the members of objects from the nodes of an alternative.

    Args:
        open_objects: whether an object that names members, and says nothing of others, has others too.
    """

    def __init__(
        self,
        conjunctions: Conjunctions,
        findings: Findings,
        refused: PatternCheck,
        *,
        open_objects: bool,
    ) -> None:
        self._conjunctions, self._findings, self._refused = conjunctions, findings, refused
        self._open = open_objects
        self._vague: set[str] = (
            set()
        )  # pointers of nodes with a pattern for names that is not enforced

    def read(self, alternative: Alternative) -> Members | None:
        """The members of the objects of an alternative; None where no object fits.

        Raises:
            GrammarError: what is said cannot be enforced, and findings are strict.
        """
        names = self._name_rules(alternative)
        if names is None:
            return None
        rule, listed = names
        declared = [name for _, said in alternative.having("properties") for name in said]
        required = [name for _, said in alternative.having("required") for name in said]
        patterns = self._patterns(alternative)
        known = dict.fromkeys([*declared, *required, *(listed or ())])
        named = {
            name: self._value_of(alternative, name, patterns)
            for name in known
            if self._fits(name, rule, listed, alternative)
        }
        if not set(required) <= named.keys():
            return None
        free = () if listed is not None else self._free(alternative, rule, patterns, named)
        if not self._open and declared and not any(alternative.having("additionalProperties")):
            free = tuple(one for one in free if one.names != rule)
        shortest = max((int(n) for _, n in alternative.having("minProperties")), default=0)
        longest = min((int(n) for _, n in alternative.having("maxProperties")), default=None)
        members = Members(named, frozenset(required), free, shortest, longest)
        return self._countable(members, alternative)

    def _name_rules(self, alternative: Alternative) -> tuple[TextRule, list[str] | None] | None:
        """What `propertyNames` says: a rule, and the only names there may be; None if none may be empty."""
        rules: list[TextRule] = [ANY_TEXT]
        listed: list[str] | None = None
        for node, _ in alternative.having("propertyNames"):
            pointer = child(node.pointer, "propertyNames")
            ways = [
                way
                for way in self._conjunctions.alternatives(conjunction([pointer]))
                if "string" in way.kinds
            ]
            if len(ways) > 1:
                self._findings.unsupported(node.pointer, "propertyNames", "it offers alternatives")
                continue
            if not ways:
                listed = []
                continue
            values = ways[0].values
            if values is not None:
                texts = [value for value in values if isinstance(value, str)]
                listed = [name for name in texts if listed is None or name in listed]
            rules.append(text_rule(ways[0], self._findings, self._refused))
        rule = meet(rules)
        return rule, listed

    def _patterns(self, alternative: Alternative) -> dict[str, str]:
        """All of `patternProperties`, as they are written and over whole names."""
        found: dict[str, str] = {}
        for node, said in alternative.having("patternProperties"):
            for pattern in said:
                whole = checked_pattern(
                    pattern, node.pointer, "patternProperties", self._findings, self._refused
                )
                if whole is not None and self._is_searchable(pattern, node):
                    found[pattern] = whole
                else:
                    self._vague.add(node.pointer)
        if len(found) > MAX_PATTERNS:
            node, _ = next(alternative.having("patternProperties"))
            reason = f"more than {MAX_PATTERNS} patterns for one object"
            self._findings.unsupported(node.pointer, "patternProperties", reason)
            self._vague |= {node.pointer for node, _ in alternative.having("patternProperties")}
            return dict(itertools.islice(found.items(), MAX_PATTERNS))
        return found

    def _is_searchable(self, pattern: str, node: Node) -> bool:
        """Whether the pattern can be looked for in names that are known."""
        try:
            python_pattern(pattern)
        except UnsupportedPattern as error:
            self._findings.unsupported(node.pointer, "patternProperties", str(error))
            return False
        return True

    def _fits(
        self, name: str, rule: TextRule, listed: list[str] | None, alternative: Alternative
    ) -> bool:
        try:
            return (listed is None or name in listed) and rule.allows(name)
        except UnsupportedPattern as error:
            node, _ = next(alternative.having("propertyNames"))
            self._findings.unsupported(node.pointer, "propertyNames", str(error))
            return True

    def _value_of(
        self, alternative: Alternative, name: str, patterns: Iterable[str]
    ) -> Conjunction:
        """What must hold of the member of this name."""
        matching = {one for one in patterns if python_pattern(one).search(name)}
        return conjunction(
            pointer
            for node in alternative.nodes
            for pointer in self._pointers(
                node, name, [one for one in _own(node) if one in matching]
            )
        )

    def _free(
        self,
        alternative: Alternative,
        rule: TextRule,
        patterns: dict[str, str],
        named: Collection[str],
    ) -> tuple[FreeMember, ...]:
        """Members with other names: a kind for each set of patterns that a name may match."""
        found = []
        for size in range(len(patterns) + 1):
            for chosen in itertools.combinations(patterns, size):
                value = conjunction(
                    pointer
                    for node in alternative.nodes
                    for pointer in self._pointers(
                        node, None, [p for p in _own(node) if p in chosen]
                    )
                )
                names = meet([rule, TextRule(patterns=tuple(patterns[one] for one in chosen))])
                avoid = tuple(whole for one, whole in patterns.items() if one not in chosen)
                # A terminal that matches nothing must not reach the library, which stumbles over it.
                if names.is_free or not self._refused(text_lark(names, named, avoid)):
                    found.append(FreeMember(names, avoid, value))
        return tuple(found)

    def _pointers(self, node: Node, name: str | None, matching: Sequence[str]) -> list[str]:
        """The subschemas of one node that hold for a member: named, by pattern, or else additional."""
        found = [child(node.pointer, "patternProperties", pattern) for pattern in matching]
        if name is not None and name in node.schema.get("properties", ()):
            found.append(child(node.pointer, "properties", name))
        if not found and "additionalProperties" in node.schema and node.pointer not in self._vague:
            found.append(child(node.pointer, "additionalProperties"))
        return found

    def _countable(self, members: Members, alternative: Alternative) -> Members:
        """Two free members may have the same name, and then count as one: a minimum of them cannot hold."""
        if members.shortest >= len(members.required) + 2 and members.free:
            node, _ = max(alternative.having("minProperties"), key=lambda found: found[1])
            reason = "a grammar cannot tell whether two members have the same name"
            self._findings.unsupported(node.pointer, "minProperties", reason)
        return members


def _own(node: Node) -> Sequence[str]:
    return list(node.schema.get("patternProperties", ()))
