"""The Jinja environment chat templates run in: transformers' dialect, sandboxed, every cost charged.

As in transformers: blocks trimmed, `break` and `continue`, `{% generation %}`, `raise_exception`,
`strftime_now`, and a `tojson` that escapes nothing. Beyond it: the program is rewritten before it is
compiled so that loops, assignments and concatenations go through the `Budget` of the rendering, and
whatever can build a huge value in one step is charged first (`growing_filters`) or not offered.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes, pass_context
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, LoopControlExtension
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from jinja2.visitor import NodeTransformer

from ...errors import TemplateError
from .budget import budget_of, namespace_attributes
from .growing_filters import FILTERS, charge_method

# Names of filters that no template could write.
_METERED, _KEPT, _JOINED = "metered loop", "kept value", "joined text"

_STRING_METHODS = """
    capitalize casefold count endswith find index isalnum isalpha isascii isdecimal isdigit
    islower isnumeric isspace istitle isupper join lower lstrip partition removeprefix
    removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines startswith
    strip swapcase title upper
"""
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})
_LIST_METHODS = frozenset({"count", "index"})
_BITS_OF_A_NUMBER = 4096


class ChatEnvironment(ImmutableSandboxedEnvironment):
    """Compiles chat templates; holds no state of a rendering."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=[GenerationBlock, LoopControlExtension],
            finalize=_write,
        )
        self._string_methods = frozenset(_STRING_METHODS.split())
        self.filters = dict(FILTERS)
        self.filters.update({_METERED: _metered, _KEPT: _kept, _JOINED: _joined})
        del self.globals["lipsum"]
        self.globals.update(
            dict=_dict, raise_exception=_raise_exception, strftime_now=_strftime_now
        )

    def compile_chat(self, source: str) -> tuple[jinja2.Template, nodes.Template]:
        """The charged program, and the syntax tree as it was written."""
        tree = self.parse(source)
        charged = _Charging().visit(self.parse(source))
        code = self.compile(charged)
        return self.template_class.from_code(self, code, self.make_globals(None)), tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Jinja's own, but quick where templates scan their messages with flags in a namespace."""
        if type(obj) is Namespace and not attribute.startswith("_"):
            attributes = namespace_attributes(obj)
            if attribute in attributes:
                return attributes[attribute]
        return super().getattr(obj, attribute)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Only methods that cannot build a value larger than what they are given, or are charged."""
        if isinstance(obj, str):
            return attr in self._string_methods
        if isinstance(obj, Mapping):
            return attr in _MAPPING_METHODS
        if isinstance(obj, list | tuple):
            return attr in _LIST_METHODS
        if isinstance(obj, int | float | bytes):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def wrap_str_format(self, value: Any) -> Any:
        """`str.format` can ask for any width, so it is not offered."""
        return None if super().wrap_str_format(value) is None else _refuse_format

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """Charge a step and what the arguments weigh; the odd names leave all others to the template."""
        budget = budget_of(__context)
        budget.step()
        for value in (*args, *kwargs.values()):
            budget.keep(value)
        charge_method(budget, __obj, args)
        return super().call(__context, __obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Charge what an operator is about to build."""
        if isinstance(left, int | float) and isinstance(right, int | float):
            _check_number(operator, left, right)
        elif operator == "+" and _is_sized(left) and _is_sized(right):
            budget_of(context).write(len(left) + len(right))
        elif operator == "*" and (_is_sized(left) or _is_sized(right)):
            size, times = (left, right) if _is_sized(left) else (right, left)
            budget_of(context).write(len(size) * int(times))
        elif operator == "%" and isinstance(left, str):
            _refuse_format()
        return super().call_binop(context, operator, left, right)


class GenerationBlock(Extension):
    """`{% generation %}…{% endgeneration %}`, which training uses to find answers; prints its body."""

    tags = frozenset({"generation"})  # type: ignore[assignment]  # jinja2 declares a mutable set

    def parse(self, parser: Parser) -> nodes.Node:
        """Turn the block into a call that returns its body."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_body"), [], [], body).set_lineno(line)

    def _body(self, caller: Any) -> Any:
        return caller()


class _Charging(NodeTransformer):
    """Routes loops, assignments and `~` through filters that charge the budget."""

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.recursive:
            raise TemplateError(
                f"line {node.lineno} of the chat template has a recursive for-loop; use a macro"
            )
        static = sum(len(data.data) for data in node.find_all(nodes.TemplateData))
        self.generic_visit(node)
        node.iter = _filter(_expression(node.iter), _METERED, nodes.Const(static))
        return node

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:
        self.generic_visit(node)
        node.node = _filter(_expression(node.node), _KEPT)
        return node

    def visit_With(self, node: nodes.With) -> nodes.Node:
        self.generic_visit(node)
        node.values = [_filter(value, _KEPT) for value in node.values]
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _filter(nodes.List(node.nodes, lineno=node.lineno), _JOINED)


def _expression(node: nodes.Node) -> nodes.Expr:
    """What jinja2's own types leave open: loops and assignments hold expressions."""
    assert isinstance(node, nodes.Expr)
    return node


def _filter(value: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(args), [], None, None, lineno=value.lineno)


@pass_context
def _metered(context: Context, items: Iterable[Any], static: int) -> Iterator[Any]:
    """The items of a loop whose body holds `static` characters of plain text."""
    budget = budget_of(context)
    for item in items:
        budget.step()
        if static:
            budget.write(static)
        if not isinstance(item, int | str):
            budget.keep(item)
        yield item


@pass_context
def _kept(context: Context, value: Any) -> Any:
    budget_of(context).keep(value)
    return value


@pass_context
def _joined(context: Context, values: list[Any]) -> str:
    budget = budget_of(context)
    budget.write(sum(map(budget.keep, values)))
    return "".join(map(str, values))


@pass_context
def _write(context: Context, value: Any) -> Any:
    budget = budget_of(context)
    budget.write(budget.keep(value))
    return value


def _check_number(operator: str, left: int | float, right: int | float) -> None:
    if not (isinstance(left, int) and isinstance(right, int)):
        return
    bits = 0
    if operator == "**":
        bits = left.bit_length() * abs(right)
    elif operator == "*":
        bits = left.bit_length() + right.bit_length()
    if bits > _BITS_OF_A_NUMBER:
        raise SecurityError(f"a number of more than {_BITS_OF_A_NUMBER} bits")


def _is_sized(value: Any) -> bool:
    return isinstance(value, Sequence)


def _refuse_format(*_args: Any, **_kwargs: Any) -> str:
    raise SecurityError("text formatting is not offered to chat templates; use ~")


def _dict(*args: Any, **kwargs: Any) -> dict[Any, Any]:
    return dict(*args, **kwargs)


def _raise_exception(message: str) -> None:
    raise jinja2.TemplateError(str(message))


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)
