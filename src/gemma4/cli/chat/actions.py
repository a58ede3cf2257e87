"""What each command of a conversation does; what to show comes back as lines."""

import re
from pathlib import Path

from ...errors import InputError
from ...llm.thinking import EFFORTS, find_thinking
from ..output import align_columns
from ..run.content import check_part, describe_part
from ..run.media_words import make_part
from ..run.options import SETTINGS, find_setting, format_setting, parse_setting
from .file import load_conversation, save_conversation
from .session import ChatSession

Lines = tuple[str, ...]


def change_system(chat: ChatSession, rest: str) -> Lines:
    """Show, set or remove the instructions."""
    if rest and chat.raw:
        raise InputError("a base model takes no instructions: it only continues text")
    if rest:
        chat.system = None if rest.lower() == "clear" else rest
    return (f"system: {chat.system}" if chat.system else "no instructions are set",)


def change_thinking(chat: ChatSession, rest: str) -> Lines:
    """Say whether the model thinks, or change it."""
    if rest:
        wanted = find_thinking(rest)
        if wanted is None:
            raise InputError(f"/think {_shorten(rest)}: give one of {', '.join(EFFORTS)}")
        if chat.raw and wanted.enabled:
            raise InputError("a base model does not think: it only continues text")
        chat.thinking = wanted
    return (f"thinking is {'as the server does' if chat.thinking is None else chat.thinking.word}",)


def attach_medium(chat: ChatSession, kind: str, rest: str) -> Lines:
    """Put a medium with the next question."""
    is_url = rest[:5].lower() == "data:"
    source = rest if is_url else _path(rest, f"/{kind} PATH")
    part = check_part(make_part(kind, source))
    chat.attach(part)
    return (f"attached to the next question: {describe_part(part)}",)


def change_setting(chat: ChatSession, rest: str) -> Lines:
    """Show the settings, or one, or change it."""
    name, _, value = rest.partition(" ")
    if not name:
        return tuple(align_columns([_setting(chat, key) for key in SETTINGS]))
    key = find_setting(name)
    if value.strip().lower() == "default":
        chat.reset_option(key)
    elif value.strip():
        chat.set_option(key, parse_setting(key, value.strip()))
    return ("   ".join(_setting(chat, key)),)


def _setting(chat: ChatSession, key: str) -> tuple[str, str, str]:
    if chat.llm.defaults is None and key not in chat.options:
        return (key, "as the server does", "")
    value = getattr(chat.sampling, key)
    shown = "none" if value in ((), {}) else format_setting(key, value)
    return (key, shown, "set here" if key in chat.options else "")


def show_tools(chat: ChatSession) -> Lines:
    """The tools, and the first line of what each says of itself."""
    if chat.tools is None:
        return ("no tools; `gemma4 run --tools FILE.py` or `--mcp COMMAND` gives some",)
    rows = [(tool.name, _shorten(tool.description)) for tool in chat.tools.offered]
    return tuple(align_columns(rows)) if rows else ("the tools' servers offer none",)


def show_stats(chat: ChatSession) -> Lines:
    """What was done for the last answer."""
    if chat.last is None:
        raise InputError("there is no whole answer to the last question: ask something first")
    return tuple(chat.stats(chat.last))


def save_to(chat: ChatSession, rest: str) -> Lines:
    """Write the conversation."""
    path = _path(rest, "/save FILE")
    save_conversation(chat, path)
    return (f"{len(chat.exchanges)} exchanges saved in {path}",)


def load_from(chat: ChatSession, rest: str) -> Lines:
    """Go on with a saved conversation, or leave everything as it is."""
    if chat.raw:
        raise InputError("a base model has no conversation to go on with: it only continues text")
    saved = load_conversation(_path(rest, "/load FILE"))
    for exchange in saved.exchanges:
        for part in exchange.user.content:
            chat.check_kind(part)
    chat.clear()
    chat.system, chat.thinking, chat.options = saved.system, saved.thinking, dict(saved.options)
    chat.exchanges = saved.exchanges
    lines = [f"{len(saved.exchanges)} exchanges loaded"]
    if saved.model != chat.llm.info.name:
        lines.append(f"they were with {saved.model}; {chat.llm.info.name} goes on")
    return tuple(lines)


def _path(rest: str, usage: str) -> Path:
    """The rest of a line as a path: in quotes, with escaped spaces, or just as it is."""
    if not rest:
        raise InputError(f"a path is missing; write {usage}")
    if len(rest) > 1 and rest[0] == rest[-1] and rest[0] in "\"'":
        rest = rest[1:-1]
    path = Path(rest).expanduser()
    return path if path.exists() else Path(re.sub(r"\\([^\w\\])", r"\1", rest)).expanduser()


def _shorten(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def undo_last(chat: ChatSession) -> Lines:
    """Take the last exchange back."""
    return (f"taken back: {_shorten(chat.undo().user.text) or 'a medium'}",)
