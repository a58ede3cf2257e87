"""All tools that a model is offered, whatever runs them, and one way to call them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Protocol, Self

from ..text.messages import Tool
from .offered import loosened
from .result import ToolResult, failure

_UNSAID = re.compile(r"[^\w.-]+")


class ToolSource(Protocol):
    """Something that has tools and runs them."""

    @property
    def name(self) -> str:
        """In messages, and before a tool's name that another source has too."""

    @property
    def tools(self) -> Sequence[Tool]:
        """With names of its own."""

    @property
    def remarks(self) -> Sequence[str]:
        """What a person should know of them."""

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run one, and wait for its end.

        Raises:
            Exception: whatever it may.
        """

    def close(self) -> None:
        """End it."""


class Toolbox:
    """The tools of all sources under names that differ.

    A name that an earlier source has is written `SOURCE__NAME`; a schema that no grammar can hold a call to
    is loosened. Both are said in `remarks`.

    Args:
        sources: closed with the box.

    Attributes:
        offered: the tools as the model is shown them.
        remarks: what was changed.
    """

    def __init__(self, sources: Iterable[ToolSource] = ()) -> None:
        self._sources = tuple(sources)
        self._owners: dict[str, tuple[ToolSource, str]] = {}
        offered: list[Tool] = []
        remarks: list[str] = []
        for source in self._sources:
            remarks += source.remarks
            for tool in source.tools:
                name = self._free_name(source, tool.name)
                if name != tool.name:
                    remarks.append(f"tool {tool.name!r} of {source.name} is offered as {name!r}")
                shown, why = loosened(tool, name)
                remarks += why
                self._owners[name] = (source, tool.name)
                offered.append(shown)
        self.offered = tuple(offered)
        self.remarks = tuple(remarks)

    def call(self, name: str, arguments: Mapping[str, Any]) -> ToolResult:
        """Run a tool. What it raises becomes a result that says so; only an interruption passes."""
        if name not in self._owners:
            known = ", ".join(self._owners) or "none"
            return failure(f"there is no tool {name!r}; the tools are: {known}")
        source, own_name = self._owners[name]
        try:
            return source.call(own_name, arguments)
        except (Exception, SystemExit) as error:
            return failure(f"{type(error).__name__}: {error}")

    def close(self) -> None:
        """End all sources, also if one of them fails."""
        with ExitStack() as stack:
            for source in self._sources:
                stack.callback(source.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _free_name(self, source: ToolSource, name: str) -> str:
        """The name itself if it can be said and is free; else one with the source's before it."""
        said = _UNSAID.sub("_", name).strip("_") or "tool"
        if said not in self._owners:
            return said
        prefixed = f"{_UNSAID.sub('_', source.name).strip('_') or 'tools'}__{said}"
        free, number = prefixed, 2
        while free in self._owners:
            free, number = f"{prefixed}_{number}", number + 1
        return free
