"""Reads a saved conversation strictly: nothing is guessed, passed over or filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from ...config.section import shown
from ...errors import MediaError, MessageError, SamplingError
from ...llm.events import FinishReason
from ...llm.thinking import EFFORTS, Thinking, find_thinking
from ...text.messages import Message, Part, Text, ToolCall
from ..run.content import check_part
from ..run.media_words import make_part
from ..run.options import find_setting, parse_setting
from .turn import Exchange

MARK = "gemma4_conversation"
"""The key by which a file is known; its value is `VERSION`."""

VERSION = 1

_KINDS = {str: "a text", bool: "true or false", list: "a list", dict: "an object"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """What a file holds. `model` is the name of the one that answered."""

    model: str
    system: str | None
    thinking: Thinking | None
    options: Mapping[str, Any]
    exchanges: tuple[Exchange, ...]


def read_saved(data: Mapping[str, Any], path: str) -> Saved:
    """Read the content of a file.

    Raises:
        MessageError: a key is missing, unknown or of the wrong kind, or a medium is gone.
    """
    try:
        version = data.get(MARK)
        if version != VERSION:
            raise ValueError(f"{MARK} is {version!r}, not {VERSION}")
        keys = (MARK, "model", "system", "thinking", "options", "exchanges")
        model, system, thinking, options, exchanges = _values(data, keys, "the file")[1:]
        return Saved(
            model=_kind(model, str, "model"),
            system=_optional_text(system, "system"),
            thinking=_thinking(thinking),
            options=_options(_kind(options, dict, "options")),
            exchanges=tuple(
                _exchange(item, f"exchange {number}")
                for number, item in enumerate(_kind(exchanges, list, "exchanges"), 1)
            ),
        )
    except (ValueError, MediaError, SamplingError) as error:
        raise MessageError(f"{path} is no conversation that can be used: {error}") from error


def _values(data: Any, keys: Sequence[str], where: str) -> list[Any]:
    """The values of exactly these keys."""
    _kind(data, dict, where)
    missing = [key for key in keys if key not in data]
    unknown = [key for key in data if key not in keys]
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has unknown {', '.join(unknown)}"
        raise ValueError(f"{where} {what}")
    return [data[key] for key in keys]


def _kind(value: Any, wanted: type, where: str) -> Any:
    if type(value) is not wanted:
        raise ValueError(f"{where} must be {_KINDS[wanted]}, not {shown(value)}")
    return value


def _optional_text(value: Any, where: str) -> str | None:
    return None if value is None else _kind(value, str, where)


def _thinking(value: Any) -> Thinking | None:
    """A word of the table; true and false were written before there were words."""
    if value is None or isinstance(value, bool):
        return None if value is None else Thinking(enabled=value)
    found = find_thinking(_kind(value, str, "thinking"))
    if found is None:
        raise ValueError(f"thinking is {shown(value)}, not one of {', '.join(EFFORTS)}")
    return found


def _options(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        find_setting(key): parse_setting(find_setting(key), _kind(text, str, f"option {key}"))
        for key, text in options.items()
    }


def _exchange(data: Any, where: str) -> Exchange:
    keys = ("user", "answer", "thought", "finish_reason")
    between = _kind(data, dict, where).get("between", [])
    rest = {key: value for key, value in data.items() if key != "between"}
    user, answer, thought, reason = _values(rest, keys, where)
    if reason not in get_args(FinishReason):
        raise ValueError(f"{where} has finish_reason {reason!r}")
    content = tuple(_part(item, where) for item in _kind(user, list, f"{where}: user"))
    if not content:
        raise ValueError(f"{where} has a question without content")
    if not _kind(answer, str, f"{where}: answer").strip():
        raise ValueError(f"{where} has no answer")
    return Exchange(
        user=Message(role="user", content=content),
        answer=Message(
            role="assistant",
            content=(Text(answer),),
            thought=_optional_text(thought, f"{where}: thought"),
        ),
        finish_reason=reason,
        between=_between(_kind(between, list, f"{where}: between"), f"{where}, between"),
    )


def _between(items: Sequence[Any], where: str) -> tuple[Message, ...]:
    """Calls of tools and their answers, every call answered."""
    found: list[Message] = []
    open_calls: dict[str, str] = {}
    for item in items:
        if "calls" in _kind(item, dict, where):
            if open_calls:
                raise ValueError(f"{where}: call {next(iter(open_calls))} has no answer")
            found.append(_calling(item, where))
            open_calls = {call.id: call.name for call in found[-1].tool_calls}
            continue
        id, content = _values(item, ("id", "content"), where)
        if id not in open_calls:
            raise ValueError(f"{where}: {shown(id)} answers no call")
        parts = tuple(_part(part, where) for part in _kind(content, list, where))
        name = open_calls.pop(id)
        found.append(Message(role="tool", content=parts, tool_call_id=id, name=name))
    if open_calls:
        raise ValueError(f"{where}: call {next(iter(open_calls))} has no answer")
    return tuple(found)


def _calling(item: Mapping[str, Any], where: str) -> Message:
    text, thought, calls = _values(item, ("text", "thought", "calls"), where)
    words = _kind(text, str, where)
    return Message(
        role="assistant",
        content=(Text(words),) if words else (),
        thought=_optional_text(thought, f"{where}: thought"),
        tool_calls=tuple(_call(call, where) for call in _kind(calls, list, where)),
    )


def _call(item: Any, where: str) -> ToolCall:
    id, name, arguments = _values(item, ("id", "name", "arguments"), where)
    return ToolCall(
        id=_kind(id, str, where),
        name=_kind(name, str, where),
        arguments=_kind(arguments, dict, where),
    )


def _part(data: Any, where: str) -> Part:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind == "text":
        return Text(_kind(_values(data, ("type", "text"), where)[1], str, f"{where}: text"))
    if kind not in ("image", "audio", "video"):
        raise ValueError(f"{where} has a part of type {kind!r}")
    source = _values(data, ("type", "source"), where)[1]
    text = _kind(source, str, f"{where}: {kind}")
    return check_part(make_part(kind, text if text[:5].lower() == "data:" else Path(text)))
