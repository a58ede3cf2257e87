"""`gemma4 run`, step by step: words, content, model, answer."""

from typing import TYPE_CHECKING

from ...errors import InputError
from ...llm.thinking import Thinking
from ..chat.session import ChatSession
from ..output import Output
from ..session import Session
from ..status_line import StatusLine
from .content import Content, gather_content, read_piped, stdin_is_terminal
from .model import ChosenModel, choose_model, load_chosen
from .once import answer_once, check_prompt
from .request import Manner, Placing, Question, Tooling, View
from .tools import opened_box, tool_use
from .words import split_words

if TYPE_CHECKING:
    from ...llm.llm import LLM
    from ..chat.tool_use import ToolUse


def carry_out(
    session: Session,
    out: Output,
    question: Question,
    manner: Manner,
    placing: Placing,
    tooling: Tooling,
    view: View,
) -> None:
    """Answer once, or talk if there is no prompt and a person at the terminal.

    Raises:
        InputError: one of its kinds, for what cannot be done as asked. Cheap checks come first.
    """
    words = split_words(question.words, question.model, session.store)
    talks = not words.prompt and stdin_is_terminal()
    content = gather_content(words.prompt, question.media, piped=read_piped(question.media))
    _check(out, manner, tooling, content, talks=talks)
    chosen = choose_model(words, session.store, placing)
    if chosen.reason is not None:
        out.note(chosen.reason)
    with opened_box(out, tooling) as box:
        llm = _load(out, session, chosen, placing)
        tools = None if box is None else tool_use(out, box, tooling, llm)
        chat = _open_chat(out, llm, manner, content, tools)
        if talks:
            from ..chat.repl import talk

            talk(session, out, chat, content.given, view)
        else:
            answer_once(out, chat, content, view, source=str(chosen.path), reason=chosen.reason)


def _check(out: Output, manner: Manner, tooling: Tooling, content: Content, *, talks: bool) -> None:
    """Refuse what no model can do, before any is loaded."""
    if manner.image_budget is not None:
        from ...media.patches import check_budget

        check_budget(manner.image_budget)
    check_prompt(out, content, talks=talks, command="gemma4 run")
    if manner.raw:
        _check_raw(manner, content, has_tools=not tooling.is_empty, why="--raw")


def _check_raw(manner: Manner, content: Content, *, has_tools: bool, why: str) -> None:
    """Refuse what takes a chat template where there is none. Media that the prompt names stay text."""
    asked = {
        "--system": manner.system,
        "--think": manner.thinking and manner.thinking.enabled,
        "a medium": content.given,
        "a tool": has_tools,
    }
    for name, value in asked.items():
        if value:
            raise InputError(
                f"{name} needs a chat template, and {why} only continues text; leave it out, or take "
                "an instruction-tuned model such as e2b"
            )


def _load(out: Output, session: Session, chosen: ChosenModel, placing: Placing) -> "LLM":
    with StatusLine(out, f"loading {chosen.name}"):
        llm = load_chosen(chosen, session.store, placing)
    for note in llm.info.notes:
        out.note(note)
    return llm


def _open_chat(
    out: Output, llm: "LLM", manner: Manner, content: Content, tools: "ToolUse | None"
) -> ChatSession:
    """A conversation, or completion: as asked, else as the model is made."""
    raw = not llm.is_chat_model if manner.raw is None else manner.raw
    if raw and manner.raw is None:
        name = llm.info.name
        _check_raw(manner, content, has_tools=tools is not None, why=f"{name}, a base model,")
        out.note(f"{name} is a base model: it continues the text, without a chat template")
    return ChatSession(
        llm,
        raw=raw,
        system=manner.system,
        thinking=manner.thinking or Thinking(),
        options=manner.options,
        image_budget=manner.image_budget,
        format=manner.format,
        tools=tools,
    )
