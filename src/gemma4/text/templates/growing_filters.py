"""The filters offered to chat templates; those that can build more than they are given charge it first."""

import json
from collections.abc import Callable, Iterable, Sized
from typing import Any

from jinja2 import filters, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context

from .budget import Budget, budget_of

_MAX_WIDTH = 64
_MAX_PRECISION = 64

_HARMLESS = """
    abs capitalize count d default dictsort e escape first float groupby int items last length
    list lower map max min reject rejectattr reverse safe select selectattr sort string title
    trim unique upper wordcount
"""


@pass_context
def _join(
    context: Context, value: Iterable[Any], d: str = "", attribute: str | int | None = None
) -> str:
    budget, items = budget_of(context), list(value)
    budget.write(sum(map(budget.keep, items)) + len(str(d)) * len(items))
    return filters.sync_do_join(context.eval_ctx, items, d, attribute)


@pass_context
def _replace(context: Context, s: str, old: str, new: str, count: int | None = None) -> str:
    _charge_replace(budget_of(context), str(s), str(old), str(new))
    return filters.do_replace(context.eval_ctx, s, old, new, count)


@pass_context
def _indent(
    context: Context, s: str, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    budget_of(context).write(len(str(s)) * (_check_width(width) + 1))
    return filters.do_indent(s, width, first, blank)


def _check_width(width: int | str) -> int:
    """The characters of an indent or a separator."""
    size = len(width) if isinstance(width, str) else int(width)
    if size > _MAX_WIDTH:
        raise SecurityError(f"an indent or separator of {size} characters; at most {_MAX_WIDTH}")
    return size


@pass_context
def _tojson(
    context: Context,
    x: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON without HTML escapes, as transformers prints it."""
    _check_width(0 if indent is None else indent)
    for separator in separators or ():
        _check_width(separator)
    budget = budget_of(context)
    budget.keep(x)
    encoder = json.JSONEncoder(
        ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
    pieces = []
    for piece in encoder.iterencode(x):
        budget.write(len(piece))
        pieces.append(piece)
    return "".join(pieces)


def _round(value: float, precision: int = 0, method: Any = "common") -> float:
    if abs(precision) > _MAX_PRECISION:
        raise SecurityError(f"round to {precision} places; at most {_MAX_PRECISION}")
    return filters.do_round(value, precision, method)


FILTERS: dict[str, Callable[..., Any]] = {
    **{name: filters.FILTERS[name] for name in _HARMLESS.split()},
    "indent": _indent,
    "join": _join,
    "replace": _replace,
    "round": _round,
    "tojson": _tojson,
}
"""Name to filter. Left out: what draws random numbers, wraps or fills text to a width, or makes HTML."""


def charge_method(budget: Budget, method: Any, args: tuple[Any, ...]) -> None:
    """Charge a call of `str.replace` or `str.join` before it is made."""
    text = getattr(method, "__self__", None)
    if not isinstance(text, str) or not args:
        return
    name = getattr(method, "__name__", "")
    if name == "join":
        if not isinstance(args[0], Sized):
            raise SecurityError("str.join of what has no length; use the filter join")
        budget.write(budget.keep(args[0]) + len(text) * len(args[0]))
    elif name == "replace" and len(args) > 1:
        _charge_replace(budget, text, str(args[0]), str(args[1]))


def _charge_replace(budget: Budget, text: str, old: str, new: str) -> None:
    budget.write(len(text) + text.count(old) * len(new))
