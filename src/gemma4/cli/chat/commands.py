"""The commands of a conversation, as functions of its state; what to show comes back as a value."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from ...errors import Gemma4Error, InputError
from ..output import align_columns
from ..run.content import Content, describe_part
from ..run.media_words import find_media
from .actions import (
    attach_medium,
    change_setting,
    change_system,
    change_thinking,
    load_from,
    save_to,
    show_stats,
    show_tools,
    undo_last,
)
from .session import ChatSession
from .turn import Turn

COMMANDS = {
    "/help": ("", "this list"),
    "/system": ("[TEXT|clear]", "show, set or remove the instructions"),
    "/think": (
        "[WORD]",
        "how much the model reasons first: off, on, low, medium, high; alone: say",
    ),
    "/image": ("PATH", "attach a picture to the next question"),
    "/audio": ("PATH", "attach a sound"),
    "/video": ("PATH", "attach a clip"),
    "/set": ("[KEY [VALUE]]", "show or change sampling; VALUE default: as the checkpoint says"),
    "/tools": ("", "what the model may call"),
    "/stats": ("", "what was done for the last answer, and how fast"),
    "/retry": ("", "ask the last question again"),
    "/undo": ("", "take the last question and its answer back"),
    "/save": ("FILE", "write the conversation, as JSON"),
    "/load": ("FILE", "go on with a saved conversation"),
    "/clear": ("", "forget what was said; instructions and settings stay"),
    "/bye": ("", "leave (or Ctrl-D)"),
}
"""Each command with its arguments and what it does."""

_COMMAND = re.compile(r"/[A-Za-z?_-]*")


@dataclass(frozen=True, slots=True)
class Say:
    """Lines to show."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to run, after these remarks."""

    turn: Turn
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Leave:
    """The end."""


Action = Say | Ask | Leave


def handle(chat: ChatSession, entry: str) -> Action:
    """Do what a person entered: a command, or a question.

    A text in triple quotes, or with a space before its slash, is never a command.

    Raises:
        Gemma4Error: it cannot be done; the conversation is as it was.
    """
    stripped = entry.strip()
    if stripped.startswith('"""'):
        return _question(chat, stripped.removeprefix('"""').removesuffix('"""').strip("\n"))
    word, _, rest = entry.partition(" ")
    if _COMMAND.fullmatch(word.rstrip()) and not Path(word).is_file():
        return _command(chat, word.rstrip().lower(), rest.strip())
    return _question(chat, entry if chat.raw else stripped)


def _question(chat: ChatSession, text: str) -> Action:
    if not text.strip():
        return Say(())
    if chat.raw:
        return Ask(chat.ask(text))
    found = find_media(text)
    content = Content(found=found.media, text=found.text, missing=found.missing)
    attached = chat.attached
    try:
        for part in content.found:
            chat.attach(part)
    except Gemma4Error:
        chat.attached = attached
        raise
    notes = tuple(f"attached {describe_part(part)}" for part in chat.attached)
    return Ask(chat.ask(content.text), notes, content.warnings)


def _command(chat: ChatSession, command: str, rest: str) -> Action:
    match command:
        case "/help" | "/?":
            return Say(_help())
        case "/system":
            return Say(change_system(chat, rest))
        case "/think":
            return Say(change_thinking(chat, rest))
        case "/image" | "/audio" | "/video":
            return Say(attach_medium(chat, command.removeprefix("/"), rest))
        case "/set":
            return Say(change_setting(chat, rest))
        case "/tools":
            return Say(show_tools(chat))
        case "/stats":
            return Say(show_stats(chat))
        case "/retry":
            return Ask(chat.ask_again(), _same_again(chat))
        case "/undo":
            return Say(undo_last(chat))
        case "/save":
            return Say(save_to(chat, rest))
        case "/load":
            return Say(load_from(chat, rest))
        case "/clear":
            chat.clear()
            return Say(("the conversation is empty",))
        case "/bye" | "/exit" | "/quit":
            return Leave()
        case _:
            raise InputError(_unknown(command))


def _same_again(chat: ChatSession) -> tuple[str, ...]:
    """A warning for whoever hopes for another answer."""
    if chat.sampling.temperature == 0:
        return ("greedy: the same question gets the same answer",)
    if chat.sampling.seed is not None:
        return (f"seed {chat.sampling.seed}: the same question gets the same answer",)
    return ()


def _unknown(command: str) -> str:
    near = difflib.get_close_matches(command, COMMANDS, n=1)
    hint = f"did you mean {near[0]}?" if near else "/help lists them"
    return f"there is no command {command}; {hint} (a space before the slash makes it a question)"


def _help() -> tuple[str, ...]:
    rows = [(f"{name} {arguments}".rstrip(), what) for name, (arguments, what) in COMMANDS.items()]
    return (
        *align_columns(rows),
        'a text over several lines stands between """ and """; a path in a question is attached;',
        "Ctrl-C stops an answer, the arrow keys bring earlier entries back",
    )
