"""`gemma4 chat`, step by step: which model of the server, what is asked, one answer or a conversation."""

from ..chat.repl import talk
from ..chat.session import ChatSession
from ..output import Output
from ..run.content import gather_content, read_piped, stdin_is_terminal
from ..run.once import answer_once, check_prompt
from ..run.request import Manner, Question, View
from ..session import Session
from .model import RemoteModel, find_model
from .server import RemoteServer


def ask_server(
    session: Session,
    out: Output,
    server: RemoteServer,
    question: Question,
    manner: Manner,
    view: View,
) -> None:
    """Answer once, or talk if there is no prompt and a person at the terminal.

    Raises:
        InputError, EnvironmentFault: it cannot be asked so, or the server does not answer.
    """
    prompt = " ".join(question.words)
    talks = not prompt and stdin_is_terminal()
    content = gather_content(prompt, question.media, piped=read_piped(question.media))
    check_prompt(out, content, talks=talks, command="gemma4 chat")
    remote = _open(out, server, question.model)
    chat = ChatSession(
        remote,
        raw=False,
        system=manner.system,
        thinking=manner.thinking,
        options=manner.options,
        format=manner.format,
        stats=remote.stats,
    )
    if talks:
        talk(session, out, chat, content.given, view, greeting=_greeting(remote))
    else:
        answer_once(out, chat, content, view, source=server.url)


def _open(out: Output, server: RemoteServer, model: str | None) -> RemoteModel:
    if server.sends_key_openly:
        out.warn(f"the key goes to {server.url} unencrypted; use https where others can listen")
    info, remark = find_model(server, model)
    if remark is not None:
        out.note(remark)
    return RemoteModel(server=server, info=info)


def _greeting(remote: RemoteModel) -> str:
    media = [kind for kind in remote.info.modalities if kind != "text"]
    takes = f"; takes {', '.join(media)}" if media and remote.info.is_described else ""
    name = f"{remote.info.name} at {remote.server.url}{takes}"
    return f"{name}; /help lists the commands, Ctrl-D leaves"
