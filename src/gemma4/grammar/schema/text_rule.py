"""What a schema demands of a text: its length, patterns and format."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .conjunction import Alternative
from .findings import Findings
from .patterns import UnsupportedPattern, python_pattern, whole_pattern
from .text_formats import FORMATS

PatternCheck = Callable[[str], str]
"""Why the library refuses a pattern; empty if it takes it."""


@dataclass(frozen=True, slots=True)
class TextRule:
    """A text must match each of the patterns as a whole; `longest` None is without bound."""

    shortest: int = 0
    longest: int | None = None
    patterns: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no text can be so long and so short."""
        return self.longest is not None and self.longest < self.shortest

    @property
    def is_free(self) -> bool:
        """Whether any text will do."""
        return not self.shortest and self.longest is None and not self.patterns

    def allows(self, text: str) -> bool:
        """Whether a text that is known beforehand fits.

        Raises:
            UnsupportedPattern: Python does not understand a pattern.
        """
        longest = math.inf if self.longest is None else self.longest
        return self.shortest <= len(text) <= longest and all(
            python_pattern(one).fullmatch(text) for one in self.patterns
        )


ANY_TEXT = TextRule()


def text_rule(alternative: Alternative, findings: Findings, refused: PatternCheck) -> TextRule:
    """What the nodes of an alternative demand of a text, all together."""
    shortest = max((int(count) for _, count in alternative.having("minLength")), default=0)
    longest = min((int(count) for _, count in alternative.having("maxLength")), default=None)
    patterns: dict[str, None] = {}
    for node, pattern in alternative.having("pattern"):
        whole = checked_pattern(pattern, node.pointer, "pattern", findings, refused)
        if whole is not None:
            patterns[whole] = None
    for node, name in alternative.having("format"):
        if name in FORMATS:
            patterns |= dict.fromkeys(FORMATS[name])
        else:
            known = ", ".join(sorted(FORMATS))
            findings.unsupported(node.pointer, "format", f"{name!r} is none of {known}")
    return TextRule(shortest, longest, tuple(patterns))


def checked_pattern(
    pattern: str, pointer: str, keyword: str, findings: Findings, refused: PatternCheck
) -> str | None:
    """The pattern over whole texts; None where it is beyond the library, which is noted."""
    try:
        whole = whole_pattern(pattern)
    except UnsupportedPattern as error:
        findings.unsupported(pointer, keyword, str(error))
        return None
    problem = refused(whole)
    if problem:
        findings.unsupported(pointer, keyword, f"{pattern!r} is refused: {problem}")
        return None
    return whole


def meet(rules: Iterable[TextRule]) -> TextRule:
    """All of them together."""
    shortest, longest, patterns = 0, None, dict[str, None]()
    for rule in rules:
        shortest = max(shortest, rule.shortest)
        bounds = [bound for bound in (longest, rule.longest) if bound is not None]
        longest = min(bounds) if bounds else None
        patterns |= dict.fromkeys(rule.patterns)
    return TextRule(shortest, longest, tuple(patterns))
