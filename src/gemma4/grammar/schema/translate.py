"""JSON Schema to the rules of a grammar: one rule for each conjunction of subschemas."""

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from .conjunction import (
    Alternative,
    Conjunction,
    Conjunctions,
    conjunction,
    kind_of,
)
from .document import Document
from .findings import Findings
from .lists import list_bodies
from .literals import literal_value, number_text
from .members import MemberReader
from .numbers import number_lark, number_rule
from .objects import object_body
from .patterns import UnsupportedPattern
from .rules import Ref, Rules, Sequence, literal
from .syntax import Syntax, pattern_lark, text_lark
from .text_rule import TextRule, text_rule

_OF_LISTS = ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "additionalItems")
_OF_MAPS = (
    "properties", "patternProperties", "additionalProperties", "propertyNames", "required",
    "minProperties", "maxProperties",
)  # fmt: skip

LarkCheck = Callable[[str], str]
"""Why the library refuses a rule of this Lark; empty if it takes it."""


class Translator:
    """Translates one document.

    Args:
        refused: asked about patterns and bounds of numbers.
        open_objects: whether objects that name members, and say nothing of others, have others too.

    Raises:
        GrammarError: see `Document`.
    """

    def __init__(
        self,
        schema: object,
        syntax: Syntax,
        rules: Rules,
        findings: Findings,
        *,
        refused: LarkCheck,
        open_objects: bool,
    ) -> None:
        document = Document(schema)
        self._syntax, self._rules, self._findings = syntax, rules, findings
        self._refused = refused
        self._refused_pattern = partial(_refused_pattern, refused)
        self._document = document
        self._conjunctions = Conjunctions(document, findings)
        self._members = MemberReader(
            self._conjunctions, findings, self._refused_pattern, open_objects=open_objects
        )
        self._names: dict[Conjunction, Ref] = {}
        self._waiting: list[Conjunction] = []

    def translate(self) -> Ref:
        """Write rules for the whole document and return the one to start from.

        Raises:
            GrammarError: the schema is malformed or too large, or cannot be enforced where that is a must.
        """
        start = self._rule(conjunction([""]))
        while self._waiting:
            pointers = self._waiting.pop()
            bodies = [
                body
                for alternative in self._conjunctions.alternatives(pointers)
                for body in self._bodies(alternative)
            ]
            self._rules.define(self._names[pointers].name, list(dict.fromkeys(bodies)))
        return start

    def _rule(self, pointers: Iterable[str]) -> Ref:
        """The rule of a conjunction, which is written later."""
        key = conjunction(
            pointer for pointer in pointers if self._document.at(pointer) not in (True, {})
        )
        if key not in self._names:
            self._names[key] = Ref(self._rules.fresh())
            self._waiting.append(key)
        return self._names[key]

    def _bodies(self, alternative: Alternative) -> list[Sequence]:
        kinds, values = alternative.kinds, alternative.values
        if values is not None:
            return self._listed(alternative, [one for one in values if kind_of(one) & kinds])
        bodies: list[Sequence] = []
        if "null" in kinds:
            bodies.append(('"null"',))
        if "boolean" in kinds:
            bodies += [('"true"',), ('"false"',)]
        if kinds & {"integer", "number"}:
            bodies += self._numbers(alternative, whole="number" not in kinds)
        if "string" in kinds:
            rule = text_rule(alternative, self._findings, self._refused_pattern)
            if not rule.is_empty and not (rule.patterns and self._refused(text_lark(rule))):
                bodies.append(self._syntax.text(self._rules, rule))
        if "array" in kinds:
            bodies += list_bodies(alternative, self._rule, self._findings)
        if "object" in kinds and (members := self._members.read(alternative)) is not None:
            bodies.append(object_body(members, self._syntax, self._rules, self._rule))
        return bodies

    def _numbers(self, alternative: Alternative, *, whole: bool) -> list[Sequence]:
        written = number_lark(
            number_rule(alternative), alternative, self._findings, self._refused, whole=whole
        )
        if written is None:
            return []
        return [(written if written.startswith("%") else self._rules.terminal(written),)]

    def _listed(self, alternative: Alternative, values: Collection[Any]) -> list[Sequence]:
        """Bodies for the values of `enum` and `const` that all else allows."""
        numbers = number_rule(alternative)
        texts = text_rule(alternative, self._findings, self._refused_pattern)
        bodies: list[Sequence] = []
        words: list[str] = []
        for value in values:
            if isinstance(value, str):
                words += [value] if self._allows(texts, value, alternative) else []
            elif isinstance(value, bool | None):
                bodies.append((literal({None: "null", True: "true", False: "false"}[value]),))
            elif isinstance(value, int | float):
                bodies += [(literal(number_text(value)),)] if numbers.allows(value) else []
            else:
                self._note_beside(alternative, value)
                bodies.append(literal_value(value, self._syntax, self._rules))
        return bodies + ([self._syntax.texts(self._rules, words)] if words else [])

    def _allows(self, rule: TextRule, text: str, alternative: Alternative) -> bool:
        try:
            return rule.allows(text)
        except UnsupportedPattern as error:
            node, _ = next(alternative.having("pattern"))
            self._findings.unsupported(node.pointer, "pattern", f"beside enum or const, {error}")
            return True

    def _note_beside(self, alternative: Alternative, value: Any) -> None:
        """Note what is not looked at where a list or map is spelled out."""
        beside = _OF_MAPS if isinstance(value, Mapping) else _OF_LISTS
        for keyword in beside:
            for node, _ in alternative.having(keyword):
                reason = "it is not looked at beside enum or const"
                self._findings.unsupported(node.pointer, keyword, reason)


def _refused_pattern(refused: LarkCheck, pattern: str) -> str:
    return refused(f"/{pattern_lark(pattern)}/")
