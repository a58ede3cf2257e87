"""How values are written: as JSON, or as the arguments of Gemma's tool calls.

Numbers, `true`, `false`, `null`, and the brackets and commas of lists and maps are the same in both. No
terminal is the beginning of another that may stand in its place, since the longest is always taken.
"""

import json
from collections.abc import Collection, Iterable
from typing import Protocol

from llguidance import regex_to_lark

from ...text.codec.tool_syntax import dictsort, is_bare_key
from .rules import Rules, Sequence, literal
from .text_rule import TextRule

_SIGNS = r""":=,(){}\[\]"'`<>|"""
_BARE = rf"/[^\s{_SIGNS}](?:[^{_SIGNS}]*[^\s{_SIGNS}])?/"
_SHORT_BARE = f"{_BARE} & /(?s:.{{1,64}})/"
_PLAIN = r"/[^\"\\\x00-\x1F]*/"
_ESCAPED = r"/(?:[^\"\\\x00-\x1F]|\\[\"\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f]))*/"


class Syntax(Protocol):
    """Writes what the two ways differ in."""

    def ordered(self, names: Iterable[str]) -> list[str]:
        """Names of members in the order in which they are written."""
        ...

    def key(self, name: str) -> Sequence:
        """The key of a member, and the sign between it and its value."""
        ...

    def free_key(
        self, rules: Rules, rule: TextRule, others: Collection[str], avoid: Collection[str]
    ) -> list[Sequence]:
        """Ways to write a key that fits `rule`, is none of `others` and matches no pattern of `avoid`."""
        ...

    def text(self, rules: Rules, rule: TextRule) -> Sequence:
        """A text that fits `rule`."""
        ...

    def texts(self, rules: Rules, texts: Collection[str]) -> Sequence:
        """One of these texts."""
        ...


class JsonSyntax:
    """JSON without any white space between its signs; members in the order of the schema."""

    def ordered(self, names: Iterable[str]) -> list[str]:
        """See `Syntax`."""
        return list(names)

    def key(self, name: str) -> Sequence:
        """See `Syntax`."""
        return (literal(_quoted(name) + ":"),)

    def free_key(
        self, rules: Rules, rule: TextRule, others: Collection[str], avoid: Collection[str]
    ) -> list[Sequence]:
        """See `Syntax`. Where patterns are asked the key has no sign that JSON must escape."""
        plain = bool(avoid) or not rule.is_free
        inner = [_quoted(name)[1:-1] for name in others]
        content = _both(_PLAIN if plain else _ESCAPED, rule, inner, avoid)
        return [(rules.terminal(f'"\\"" ({content}) "\\":"'),)]

    def text(self, rules: Rules, rule: TextRule) -> Sequence:  # noqa: ARG002 the library's own terminals
        """See `Syntax`."""
        said: dict[str, object] = {"type": "string"}
        if rule.shortest:
            said["minLength"] = rule.shortest
        if rule.longest is not None:
            said["maxLength"] = rule.longest
        if rule.patterns:
            said["allOf"] = [{"pattern": f"^(?:{one})$"} for one in rule.patterns]
        return (f"%json {json.dumps(said | {'x-guidance': {'whitespace_flexible': False}})}",)

    def texts(self, rules: Rules, texts: Collection[str]) -> Sequence:
        """See `Syntax`."""
        return (rules.terminal(" | ".join(literal(_quoted(text)) for text in texts)),)


class GemmaSyntax:
    """Gemma's own: texts between delimiter tokens, bare keys in the order of the alphabet.

    Args:
        delimiter: id of the token `<|"|>`.
    """

    def __init__(self, delimiter: int) -> None:
        self._delimiter = f"<[{delimiter}]>"

    def ordered(self, names: Iterable[str]) -> list[str]:
        """See `Syntax`."""
        return [name for name, _ in dictsort(dict.fromkeys(names))]

    def key(self, name: str) -> Sequence:
        """See `Syntax`."""
        if is_bare_key(name):
            return (literal(name + ":"),)
        return (*self._delimited(literal(name) if name else None), '":"')

    def free_key(
        self, rules: Rules, rule: TextRule, others: Collection[str], avoid: Collection[str]
    ) -> list[Sequence]:
        """See `Syntax`."""
        # A bound beside patterns would be too much for the library.
        bare = _both(_BARE if rule.patterns or avoid else _SHORT_BARE, rule, others, avoid)
        quoted = _both("/(?s:.*)/", rule, others, avoid)
        delimited = self._delimited(rules.terminal(quoted))
        return [(rules.terminal(f'({bare}) ":"'),), (*delimited, '":"')]

    def text(self, rules: Rules, rule: TextRule) -> Sequence:
        """See `Syntax`."""
        return self._delimited(rules.terminal(_both(_any_of_length(rule), rule, (), ())))

    def texts(self, rules: Rules, texts: Collection[str]) -> Sequence:
        """See `Syntax`."""
        words = [literal(text) for text in texts if text]
        choice = rules.terminal(" | ".join(words)) if words else None
        if choice is not None and "" in texts:
            choice += "?"
        return self._delimited(choice)

    def _delimited(self, content: str | None) -> Sequence:
        inner = () if content is None else (content,)
        return (self._delimiter, *inner, self._delimiter)


def text_lark(rule: TextRule, others: Collection[str] = (), avoid: Collection[str] = ()) -> str:
    """Lark of the texts that fit a rule, and are neither of `others` nor match `avoid`."""
    return _both("/(?s:.*)/", rule, others, avoid)


def _both(shape: str, rule: TextRule, others: Collection[str], avoid: Collection[str]) -> str:
    """A terminal of this shape that fits the rule, and is neither of `others` nor matches `avoid`."""
    parts = [shape, *(f"/{pattern_lark(one)}/" for one in rule.patterns)]
    if rule.shortest or rule.longest is not None:
        parts.append(_any_of_length(rule))
    excluded = [literal(name) for name in others if name]
    excluded += [f"/{pattern_lark(one)}/" for one in avoid]
    if "" in others:
        parts.append("/(?s:.+)/")
    if excluded:
        parts.append(f"~({' | '.join(excluded)})")
    return " & ".join(dict.fromkeys(parts))


def _any_of_length(rule: TextRule) -> str:
    if not rule.shortest and rule.longest is None:
        return "/(?s:.*)/"
    return f"/(?s:.{{{rule.shortest},{'' if rule.longest is None else rule.longest}}})/"


def pattern_lark(pattern: str) -> str:
    """A pattern as it stands between the slashes of Lark; `\\d` and `\\w` are ASCII."""
    return regex_to_lark(pattern, "dw")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
