"""What a docstring says of a function and its arguments, in Google, NumPy or Sphinx style."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_SECTION = re.compile(
    r"(Args|Arguments|Parameters|Params|Keyword Args|Keyword Arguments|Other Parameters|Returns?|Yields?"
    r"|Raises|Attributes|Examples?|Notes?|Warnings?|Warns|References|See Also|Todo)(:?)"
)
_OF_ARGUMENTS = frozenset(
    {
        "Args",
        "Arguments",
        "Parameters",
        "Params",
        "Keyword Args",
        "Keyword Arguments",
        "Other Parameters",
    }
)
_GOOGLE_ITEM = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ITEM = re.compile(r"(\*{0,2}\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")
_SPHINX_FIELD = re.compile(r":(\w+)(?:\s+([^:]*))?:\s*(.*)")
_SPHINX_ARGUMENTS = frozenset({"param", "parameter", "arg", "argument", "key", "keyword"})
_RULE = re.compile(r"-{3,}")


@dataclass(slots=True)
class Docstring:
    """The description before all sections, and that of each documented argument on one line."""

    description: str = ""
    arguments: dict[str, str] = field(default_factory=dict)


def parse_docstring(text: str | None) -> Docstring:
    """Read a docstring; a missing one gives an empty description."""
    lines = inspect.cleandoc(text or "").splitlines()
    end = next((at for at in range(len(lines)) if _begins_section(lines, at)), len(lines))
    found = Docstring(description="\n".join(lines[:end]).strip())
    for name, words in _documented(lines[end:]):
        found.arguments[name] = " ".join(words.split())
    return found


def _begins_section(lines: list[str], at: int) -> bool:
    return _section(lines, at) is not None or _SPHINX_FIELD.match(lines[at]) is not None


def _section(lines: list[str], at: int) -> tuple[str, bool] | None:
    """Name of the section that line `at` opens, and whether it is underlined as in NumPy's style."""
    match = _SECTION.fullmatch(lines[at].rstrip())
    if match is None:
        return None
    underlined = at + 1 < len(lines) and _RULE.fullmatch(lines[at + 1].strip()) is not None
    return (match[1], underlined) if underlined or match[2] else None


def _documented(lines: list[str]) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(lines):
        end = next((n for n in range(at + 1, len(lines)) if _begins_section(lines, n)), len(lines))
        section = _section(lines, at)
        if section is None:
            yield from _sphinx_item(lines[at:end])
        elif section[0] in _OF_ARGUMENTS and section[1]:
            yield from _numpy_items(lines[at + 2 : end])
        elif section[0] in _OF_ARGUMENTS:
            yield from _google_items(lines[at + 1 : end])
        at = end


def _sphinx_item(lines: list[str]) -> Iterator[tuple[str, str]]:
    match = _SPHINX_FIELD.match(lines[0])
    if match is not None and match[1] in _SPHINX_ARGUMENTS and match[2]:
        name = match[2].split()[-1].lstrip("*")
        yield name, " ".join([match[3], *lines[1:]])


def _google_items(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Items at the indentation of the first, each with the deeper lines below it."""
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    depth = indents[0] if indents else 0
    for head, body in _blocks(lines, depth):
        if match := _GOOGLE_ITEM.match(head.strip()):
            yield match[1], f"{match[2]} {body}"


def _numpy_items(lines: list[str]) -> Iterator[tuple[str, str]]:
    for head, body in _blocks(lines, 0):
        if match := _NUMPY_ITEM.fullmatch(head.strip()):
            for name in match[1].split(","):
                yield name.strip().lstrip("*"), body


def _blocks(lines: list[str], depth: int) -> Iterator[tuple[str, str]]:
    """Each line at `depth` with the deeper lines that follow it."""
    heads = [
        at for at, line in enumerate(lines) if line.strip() and not line[: depth + 1].isspace()
    ]
    for head, following in zip(heads, [*heads[1:], len(lines)], strict=True):
        yield lines[head], " ".join(lines[head + 1 : following])
