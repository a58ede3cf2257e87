"""The conversation on a terminal: reads entries, shows answers, never loses what was said."""

import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version

from ...errors import Gemma4Error
from ...text.messages import Part
from ..output import Output
from ..run.answer_view import AnswerView
from ..run.request import View
from ..session import Session
from ..status_line import StatusLine
from .commands import Ask, Leave, Say, handle
from .session import ChatSession

Read = Callable[[], str]


def talk(
    session: Session,
    out: Output,
    chat: ChatSession,
    media: Sequence[Part],
    view: View,
    *,
    greeting: str | None = None,
) -> None:
    """Talk until Ctrl-D or /bye. `media` go with the first question."""
    from .repl_input import make_reader

    for part in media:
        chat.attach(part)
    out.note(_greeting(chat) if greeting is None else greeting)
    converse(out, chat, make_reader(session.settings.home, out), view)


def _greeting(chat: ChatSession) -> str:
    if chat.raw:
        return "completion mode: each text is continued by itself; /help lists the commands"
    media = [kind for kind in chat.llm.info.modalities if kind != "text"]
    takes = f" takes {', '.join(media)};" if media else ""
    return f"{chat.llm.info.name}:{takes} /help lists the commands, Ctrl-D leaves"


def converse(out: Output, chat: ChatSession, read: Read, view: View) -> None:
    """Read and answer until `read` raises EOFError, or /bye. Ctrl-C ends an answer, never the talk."""
    going = True
    while going:
        try:
            going = _step(out, chat, read, view)
        except KeyboardInterrupt:
            out.note("stopped")
        except Exception as error:
            _report(out, error, view)


def _step(out: Output, chat: ChatSession, read: Read, view: View) -> bool:
    """Read one entry and do it; False to leave."""
    try:
        entry = read()
    except KeyboardInterrupt:
        out.note("Ctrl-D or /bye leaves")
        return True
    except EOFError:
        return False
    action = handle(chat, entry)
    match action:
        case Leave():
            return False
        case Say():
            _say(out, action.lines)
        case Ask():
            _answer(out, chat, action, view)
    return True


def _answer(out: Output, chat: ChatSession, asked: Ask, view: View) -> None:
    for note in asked.notes:
        out.note(note)
    for warning in asked.warnings:
        out.warn(warning)
    turn, shown = asked.turn, AnswerView(out, view, has_tools=chat.tools is not None)
    status = StatusLine(out, "reading the prompt")
    try:
        with status:
            for event in turn.events(status.show_prefill):
                status.clear()
                shown.show(event)
    except KeyboardInterrupt:
        shown.close()
        kept = turn.stop()
        out.note("stopped; what came so far is kept" if kept else "stopped; nothing is kept")
        return
    finally:
        shown.close()
    if not turn.kept:
        out.warn("the answer has no words; the question is not kept, /retry asks it again")
    if view.stats and turn.finished is not None:
        _say(out, chat.stats(turn.finished))


def _say(out: Output, lines: Sequence[str]) -> None:
    """Replies of commands: to stderr, so that a piped stdout has answers alone."""
    out.stderr.write("".join(f"{line}\n" for line in lines))
    out.stderr.flush()


def _report(out: Output, error: Exception, view: View) -> None:
    """One line for what went wrong; the conversation goes on as it was before."""
    if isinstance(error, Gemma4Error):
        message = str(error)
    elif isinstance(error, OSError) and error.strerror:
        message = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    else:
        if view.stats:
            traceback.print_exception(error, file=out.stderr)
        message = (
            f"unexpected {type(error).__name__}: {error}; the conversation is as it was, /save keeps "
            f"it; if this is a defect of gemma4 {version('gemma4')}, please report it"
        )
    out.fail(error, kind=type(error).__name__, message=message, exit_code=1)
