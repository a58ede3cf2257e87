"""One question, one answer, and the end."""

from ...errors import InputError
from ...llm.events import Answer, Finished
from ...tools.loop import LoopEvent
from ..chat.session import ChatSession
from ..chat.turn import Turn
from ..output import Output
from ..status_line import StatusLine
from .answer_report import describe_answer, describe_run
from .answer_view import AnswerView
from .content import Content, describe_part
from .request import View


def check_prompt(out: Output, content: Content, *, talks: bool, command: str) -> None:
    """Refuse to go on where nothing is asked.

    Raises:
        InputError: there is no prompt, and nobody at a terminal who could give one.
    """
    if talks and out.as_json:
        raise InputError("--json needs a prompt: give one as words, or through a pipe")
    if not talks and content.is_empty:
        raise InputError(
            "there is no prompt: none among the words, and stdin is empty; give one, or start "
            f"`{command}` on a terminal for a conversation"
        )


def answer_once(
    out: Output,
    chat: ChatSession,
    content: Content,
    view: View,
    *,
    source: str,
    reason: str | None = None,
) -> None:
    """Ask and print the answer, or with --json one object with all that is known of it.

    Args:
        source: where the model lies. reason: why it was chosen.

    Raises:
        InputError: one of its kinds, for what cannot be done as asked.
        KeyboardInterrupt: the user stopped it; what was printed ends with a newline.
    """
    turn = _ask(out, chat, content)
    if out.as_json:
        finished = _run(out, turn, None)
        answer = Answer(
            text=turn.text, thought=turn.thought, tool_calls=turn.tool_calls, finished=finished
        )
        why = (reason,) if reason else ()
        notes = [*why, *_notes(chat, content), *_warnings(chat, content), *chat.llm.info.notes]
        described = {**describe_answer(answer), "path": source, "notes": notes}
        if chat.tools is not None:
            described["tools_run"] = [describe_run(told) for told in turn.answers]
        out.data(described)
        return
    finished = _run(out, turn, AnswerView(out, view, has_tools=chat.tools is not None))
    if not turn.text and not turn.tool_calls:
        out.warn("the answer is empty")
    if view.stats:
        for line in chat.stats(finished):
            out.stderr.write(f"{line}\n")


def _ask(out: Output, chat: ChatSession, content: Content) -> Turn:
    if not chat.raw:
        for part in (*content.given, *content.found):
            chat.attach(part)
    for note in _notes(chat, content):
        out.note(note)
    if not out.as_json:  # there they stand among the notes
        for warning in _warnings(chat, content):
            out.warn(warning)
    return chat.ask(content.untouched if chat.raw else content.text)


def _notes(chat: ChatSession, content: Content) -> tuple[str, ...]:
    return () if chat.raw else content.notes


def _warnings(chat: ChatSession, content: Content) -> tuple[str, ...]:
    """What looks like an attachment and is none; in a text that is continued, all of them."""
    if not chat.raw:
        return content.warnings
    return tuple(
        f"{describe_part(part)} is not attached: it stays in the text, which is only continued; "
        "media need a chat model such as e2b"
        for part in content.found
    )


def _run(out: Output, turn: Turn, view: AnswerView | None) -> Finished:
    status = StatusLine(out, "reading the prompt")
    try:
        with status:
            for event in turn.events(status.show_prefill):
                _show(event, view, status)
    finally:
        if view is not None:
            view.close()
    assert turn.finished is not None  # a stream ends with it, or with an error
    return turn.finished


def _show(event: LoopEvent, view: AnswerView | None, status: StatusLine) -> None:
    if view is not None:
        status.clear()
        view.show(event)
