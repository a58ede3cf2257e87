"""What a schema demands of a number, as Lark.

Without bounds a number is written with at most so many digits, so that none goes on for ever and none is
infinite when it is read. With bounds the grammar library writes the pattern.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .conjunction import Alternative
from .findings import Findings

_WHOLE = "-?(?:0|[1-9][0-9]{0,63})"
_INTEGER = f"/{_WHOLE}/"
_NUMBER = rf"/{_WHOLE}(?:\.[0-9]{{1,64}})?(?:[eE][+-]?[0-9]{{1,2}})?/"


@dataclass(slots=True)
class NumberRule:
    """Bounds, each with whether the number itself is out, and what it must be a multiple of."""

    low: tuple[Fraction, bool] | None = None
    high: tuple[Fraction, bool] | None = None
    multiple: Fraction | None = None

    def allows(self, value: int | float) -> bool:
        """Whether a number fits."""
        number = Fraction(value) if isinstance(value, int) else exact(value)
        if self.low and (number < self.low[0] or (number == self.low[0] and self.low[1])):
            return False
        if self.high and (number > self.high[0] or (number == self.high[0] and self.high[1])):
            return False
        return self.multiple is None or (number / self.multiple).denominator == 1

    @property
    def is_free(self) -> bool:
        """Whether any number will do."""
        return self.low is None and self.high is None and self.multiple is None


def number_rule(alternative: Alternative) -> NumberRule:
    """What the nodes of an alternative demand of a number, all together."""
    rule = NumberRule()
    for node in alternative.nodes:
        for keyword in ("minimum", "exclusiveMinimum"):
            if (bound := _bound(node.schema, keyword)) is not None:
                rule.low = bound if rule.low is None else max(rule.low, bound)
        for keyword in ("maximum", "exclusiveMaximum"):
            if (bound := _bound(node.schema, keyword)) is not None:
                tighter = rule.high is None or (bound[0], not bound[1]) < (
                    rule.high[0],
                    not rule.high[1],
                )
                rule.high = bound if tighter else rule.high
        if "multipleOf" in node.schema:
            step = exact(node.schema["multipleOf"])
            rule.multiple = step if rule.multiple is None else _least_common(rule.multiple, step)
    return rule


def exact(value: int | float) -> Fraction:
    """The number as it was written in JSON."""
    return Fraction(repr(value))


def number_lark(
    rule: NumberRule,
    alternative: Alternative,
    findings: Findings,
    refused: Callable[[str], str],
    *,
    whole: bool,
) -> str | None:
    """Lark of the numbers that fit; None where there are none.

    Args:
        refused: why the library refuses a piece of Lark, empty if it takes it.
        whole: only integers.
    """
    if rule.is_free:
        return _INTEGER if whole else _NUMBER
    if _is_empty(rule, whole=whole):
        return None
    written = _json_lark(rule, whole=whole)
    problem = refused(written)
    if not problem:
        return written
    if "unsatisfiable" in problem.lower():
        return None
    node, keyword = next(
        (node, keyword)
        for keyword in ("multipleOf", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
        for node, _ in alternative.having(keyword)
    )
    findings.unsupported(node.pointer, keyword, f"the bounds of the number are refused: {problem}")
    return _INTEGER if whole else _NUMBER


def _bound(schema: Any, keyword: str) -> tuple[Fraction, bool] | None:
    value = schema.get(keyword)
    if value is None or isinstance(value, bool):
        return None
    plain = {"minimum": "exclusiveMinimum", "maximum": "exclusiveMaximum"}.get(keyword)
    excluded = plain is None or schema.get(plain) is True  # as draft 4 had it
    return exact(value), excluded


def _least_common(one: Fraction, other: Fraction) -> Fraction:
    return Fraction(
        math.lcm(one.numerator, other.numerator), math.gcd(one.denominator, other.denominator)
    )


def _is_empty(rule: NumberRule, *, whole: bool) -> bool:
    if rule.low is None or rule.high is None:
        return False
    (low, low_out), (high, high_out) = rule.low, rule.high
    step = rule.multiple if not whole else _least_common(rule.multiple or Fraction(1), Fraction(1))
    if step is None:
        return low > high or (low == high and (low_out or high_out))
    first, last = math.ceil(low / step), math.floor(high / step)
    first += low_out and first * step == low
    last -= high_out and last * step == high
    return first > last


def _json_lark(rule: NumberRule, *, whole: bool) -> str:
    said: dict[str, Any] = {"type": "integer" if whole else "number"}
    if rule.low is not None:
        said["exclusiveMinimum" if rule.low[1] else "minimum"] = _plain(rule.low[0])
    if rule.high is not None:
        said["exclusiveMaximum" if rule.high[1] else "maximum"] = _plain(rule.high[0])
    if rule.multiple is not None:
        said["multipleOf"] = _plain(rule.multiple)
    return f"%json {json.dumps(said | {'x-guidance': {'whitespace_flexible': False}})}"


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)
