"""What one rendering of a chat template may use: steps, characters, seconds.

A template is a program out of a downloaded file. Every turn of a loop, every call and every value that
grows is charged here, so a template that never ends, or doubles a text without end, stops early.
"""

import time
from collections.abc import ItemsView, Iterable, KeysView, Mapping, ValuesView
from dataclasses import dataclass
from typing import Any

from jinja2.runtime import Context
from jinja2.utils import Namespace

from ...errors import TemplateError

BUDGET = "the budget"
"""Where a rendering finds its `Budget` among its variables; no name that a template could write."""

_STEPS_BETWEEN_CLOCK_READINGS = 256
_ELEMENT = 32  # what an element of a list weighs, in characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one rendering.

    Attributes:
        steps: turns of loops and calls.
        characters: written or copied, counted once for every copy.
        value_size: of one value: its characters, and 32 for every element, nested ones included.
        seconds: wall-clock time.
    """

    steps: int = 10_000_000
    characters: int = 64 << 20
    value_size: int = 16 << 20
    seconds: float = 10.0


class Budget:
    """What is left of the limits during one rendering."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._steps = 0
        self._characters = 0
        self._deadline = time.monotonic() + limits.seconds

    def step(self) -> None:
        """Charge one turn of a loop or one call."""
        self._steps += 1
        if self._steps > self._limits.steps:
            raise TemplateError(
                f"the chat template did not end within {self._limits.steps} steps; use another one"
            )
        if self._steps % _STEPS_BETWEEN_CLOCK_READINGS == 0:
            self.read_clock()

    def write(self, characters: int) -> None:
        """Charge text that is about to be written or copied."""
        self._characters += max(characters, 0)
        if self._characters > self._limits.characters:
            raise TemplateError(
                f"the chat template writes more than {self._limits.characters} characters; "
                "use another one"
            )
        self.read_clock()

    def keep(self, value: Any) -> int:
        """Refuse a value that is too large to pass on; its size otherwise."""
        size = value_size(value, self._limits.value_size)
        if size > self._limits.value_size:
            raise TemplateError(
                f"the chat template builds a value larger than {self._limits.value_size} characters; "
                "use another one"
            )
        return size

    def read_clock(self) -> None:
        """Stop if the time is up."""
        if time.monotonic() > self._deadline:
            raise TemplateError(
                f"the chat template did not end within {self._limits.seconds:g} s; use another one"
            )


def value_size(value: Any, limit: int) -> int:
    """Size of a value, an element counted as often as it occurs; stops counting above `limit`."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, int):
        return value.bit_length() // 3
    size, stack = 0, [value]
    while stack and size <= limit:
        item = stack.pop()
        size += _ELEMENT
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, int):
            size += item.bit_length() // 3
        else:
            stack.extend(_elements(item))
    return size


def _elements(value: Any) -> Iterable[Any]:
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()]
    if isinstance(value, list | tuple | set | frozenset | KeysView | ValuesView | ItemsView):
        return value
    if isinstance(value, Namespace):
        return namespace_attributes(value).values()
    return ()


def namespace_attributes(namespace: Namespace) -> dict[str, Any]:
    """What a template has put on a namespace, which answers for nothing else."""
    attributes: dict[str, Any] = object.__getattribute__(namespace, "_Namespace__attrs")
    return attributes


def budget_of(context: Context) -> Budget:
    """The budget of the rendering that `context` belongs to."""
    budget = context.parent[BUDGET]
    assert isinstance(budget, Budget)
    return budget
