"""Read what stands between the call markers: `call:NAME{key:value,…}`, and what models write instead.

A call is never guessed into something the tools of the request do not say: a name is resolved against
them exactly, then by a unique ending, and is otherwise passed on as written and marked undeclared.
Text that looks like a call inside a call that cannot be read stays text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..messages import Tool
from .call_cursor import CHANNEL_CLOSE, CHANNEL_OPEN, Cursor, Ending, UnreadableCall, spelled
from .value_reader import read_fields

_OPENING = re.compile(r"\s*(call\s*:|[:-])?\s*")
_NAME = re.compile(
    r"""[\ud800"'`]?((?:(?!:BEGIN_ARG)[^\s(){}\[\]"'`=,<\ud800-\ud802])+)[\ud800"'`]?\s*:?\s*"""
)
_BEGIN = "BEGIN_ARG"
_END = "END_ARG"
_EMPTY_THOUGHT = re.compile(f"{CHANNEL_OPEN}(?:thought)?\\s*{CHANNEL_CLOSE}")
_LITTER = re.compile(r"(?:\s|[)}\]\ud800;,]|<eos>|<turn\|>|<tool_call\|>|</s>)*")
_NEXT_CALL = re.compile(r"call\s*:")
_SEPARATOR = re.compile(r"[:./]|__")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCall:
    """A call as read; `raw` is its text, `repaired` what was mended."""

    name: str
    arguments: dict[str, Any]
    raw: str
    repaired: tuple[str, ...]
    declared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadText:
    """Text between call markers that is no call, and why."""

    raw: str
    problem: str


@dataclass(frozen=True, slots=True)
class StrayText:
    """Words after a call that was as documented."""

    raw: str


Reading = ReadCall | UnreadText | StrayText


def read_calls(body: str, tools: Sequence[Tool], ending: Ending) -> tuple[Reading, ...]:
    """Read all calls of one block, in order; their `raw` texts joined are the block.

    Args:
        body: the text between the markers, with special tokens as `call_cursor` writes them.
        tools: what the request offers.
        ending: how the block stopped.
    """
    found: list[Reading] = []
    at = 0
    while not found or at < len(body):
        if found and not _NEXT_CALL.match(body, at):
            return (*found, StrayText(spelled(body[at:])))
        try:
            call, at = _read_call(body, at, tools, ending, follows=bool(found))
        except UnreadableCall as error:
            return (*found, UnreadText(raw=spelled(body[at:]), problem=str(error)))
        found.append(call)
    return tuple(found)


def resolve_name(written: str, tools: Sequence[Tool]) -> Tool | None:
    """Find the tool that a written name means: the same name, or one that only a name space parts.

    `google:mcp:x:create-pdf` means `create-pdf` and the other way round, provided that no other tool
    ends likewise.
    """
    for tool in tools:
        if tool.name == written:
            return tool
    parts = _SEPARATOR.split(written)
    near = [tool for tool in tools if _share_ending(_SEPARATOR.split(tool.name), parts)]
    return near[0] if len(near) == 1 else None


def _share_ending(one: list[str], other: list[str]) -> bool:
    length = min(len(one), len(other))
    return one[-length:] == other[-length:] and one[-1] != ""


def _read_call(
    body: str, start: int, tools: Sequence[Tool], ending: Ending, *, follows: bool
) -> tuple[ReadCall, int]:
    cursor = Cursor(body, ending, start)
    if follows:
        cursor.repair("several calls between one pair of markers")
    if cursor.skip_space() == "{":
        written, arguments, tool = _json_call(cursor, tools)
    else:
        written = _read_name(cursor)
        tool = resolve_name(written, tools)
        arguments = _read_arguments(cursor, tool)
    if tool is not None and tool.name != written:
        cursor.repair(f"name {written!r} read as {tool.name!r}")
    end = _step_over_litter(cursor)
    call = ReadCall(
        name=tool.name if tool is not None else written,
        arguments=arguments,
        raw=spelled(body[start:end]),
        repaired=tuple(cursor.repairs),
        declared=tool is not None,
    )
    return call, end


def _json_call(cursor: Cursor, tools: Sequence[Tool]) -> tuple[str, dict[str, Any], Tool | None]:
    """A call written as `{"name": …, "arguments": {…}}`."""
    fields = read_fields(cursor, {})
    written, arguments = fields.get("name"), fields.get("arguments", fields.get("parameters"))
    if not isinstance(written, str) or not isinstance(arguments, dict) or len(fields) != 2:
        raise UnreadableCall("no 'call:NAME' at its start")
    cursor.repair("the whole call was written as JSON")
    return written, arguments, resolve_name(written, tools)


def _read_name(cursor: Cursor) -> str:
    if opening := _OPENING.match(cursor.text, cursor.position):
        cursor.position = opening.end()
        if (opening.group(1) or "").removesuffix(":").rstrip() != "call":
            cursor.repair("no 'call:' before the name")
    match = _NAME.match(cursor.text, cursor.position)
    name = match.group(1).rstrip(":") if match else ""
    if match is None or not name:
        raise UnreadableCall("it has no name")
    if match.start(1) != match.start():
        cursor.repair("quotes around the name")
    if ":" in cursor.text[match.start(1) + len(name) : match.end()]:
        cursor.repair("':' after the name")
    cursor.position = match.end()
    return name


def _read_arguments(cursor: Cursor, tool: Tool | None) -> dict[str, Any]:
    found = cursor.skip_space()
    schema: Mapping[str, Any] = tool.parameters if tool is not None else {}
    positional: list[Any] = []
    if found and found in "{(":
        if found == "(":
            cursor.repair("'(' in place of '{'")
        fields = read_fields(cursor, schema, positional)
    elif cursor.text.startswith(_BEGIN, cursor.position):
        fields = {}
        positional = list(_begin_end_arguments(cursor))
    elif not found and cursor.ending != "cut":
        cursor.repair("no arguments")
        return {}
    elif not found:
        raise UnreadableCall("it was cut off before its arguments")
    else:
        raise UnreadableCall("no '{' after its name")
    if not positional:
        return fields
    if len(positional) == 1 and isinstance(positional[0], dict) and not fields:
        cursor.repair("arguments in an extra pair of brackets")
        return positional[0]
    return _placed(cursor, positional, schema, fields)


def _begin_end_arguments(cursor: Cursor) -> list[str]:
    """Arguments written as `BEGIN_ARG: text END_ARG`, which carry no keys."""
    values = []
    while cursor.text.startswith(_BEGIN, cursor.position):
        start = cursor.position + len(_BEGIN)
        end = cursor.text.find(_END, start)
        if end < 0:
            raise UnreadableCall(f"{_BEGIN} without {_END}")
        text = _EMPTY_THOUGHT.sub("", cursor.text[start:end].removeprefix(":"))
        values.append(spelled(text.lstrip(" \t").lstrip("\n").rstrip()))
        cursor.position = end + len(_END)
        cursor.skip_space()
    cursor.repair(f"{_BEGIN} and {_END} in place of '{{key:value}}'")
    return values


def _placed(
    cursor: Cursor, values: list[Any], schema: Mapping[str, Any], fields: dict[str, Any]
) -> dict[str, Any]:
    """Give values without keys the declared keys, if their number leaves no choice."""
    properties, required = schema.get("properties"), schema.get("required")
    for keys in (required, properties):
        if not isinstance(keys, Mapping | list | tuple):
            continue
        free = [str(key) for key in keys if key not in fields]
        if len(free) == len(values):
            cursor.repair(f"values without keys read as {', '.join(free)}")
            return {**fields, **dict(zip(free, values, strict=True))}
    raise UnreadableCall(f"values without keys ({len(values)}) that no declaration places")


def _step_over_litter(cursor: Cursor) -> int:
    """Step over closing signs too many, to the next call or the end."""
    start = cursor.position
    match = _LITTER.match(cursor.text, start)
    end = match.end() if match else start
    litter = cursor.text[start:end].strip()
    following = spelled(cursor.text[end : end + 24])
    if cursor.repairs and following and not _NEXT_CALL.match(cursor.text, end):
        raise UnreadableCall(f"text after its end: {following!r}")
    if litter.strip(",; \n"):
        cursor.repair(f"{spelled(litter[:24])!r} after its end")
    return end
