"""`gemma4 chat`: talk to a model of a server."""

from typing import TYPE_CHECKING, Annotated

import typer

from ..output import JsonOption, NoColorOption, Output, QuietOption
from ..run.answer_format import read_format
from ..run.flags import (
    AudioOption,
    FormatOption,
    HideThinkingOption,
    ImageOption,
    MaxTokensOption,
    NoStreamOption,
    SeedOption,
    SettingOption,
    SystemOption,
    TemperatureOption,
    ThinkOption,
    TopKOption,
    TopPOption,
    VerboseOption,
    VideoOption,
)
from ..run.options import collect_settings
from ..run.request import Question, View
from ..run.think import read_think
from ..session import Session, session_of

if TYPE_CHECKING:
    from ..chat.session import ChatSession
    from .model import RemoteModel

WordsArgument = Annotated[
    list[str] | None, typer.Argument(metavar="PROMPT", help="What to ask, once.")
]
UrlOption = Annotated[str, typer.Option("--url", help="Of a server that speaks OpenAI's protocol.")]
ModelOption = Annotated[
    str | None, typer.Option("--model", "-m", help="Default: the first that the server lists.")
]
KeyOption = Annotated[
    str | None, typer.Option("--api-key", help="Better in GEMMA4_API_KEY, where nobody sees it.")
]


def chat(
    context: typer.Context,
    words: WordsArgument = None,
    url: UrlOption = "http://127.0.0.1:8080",
    model: ModelOption = None,
    api_key: KeyOption = None,
    system: SystemOption = None,
    image: ImageOption = None,
    audio: AudioOption = None,
    video: VideoOption = None,
    think: ThinkOption = None,
    hide_thinking: HideThinkingOption = False,
    format: FormatOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    top_k: TopKOption = None,
    seed: SeedOption = None,
    max_tokens: MaxTokensOption = None,
    option: SettingOption = None,
    verbose: VerboseOption = False,
    no_stream: NoStreamOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Talk to a model of a server, ours or any other that speaks OpenAI's protocol.

    With a prompt, or text from a pipe: one answer. Else the conversation of `gemma4 run`. What is not
    set is not sent: the server does as it does by itself.

    \b
    Examples:
      gemma4 chat
      gemma4 chat --url http://192.168.1.5:8080 "What is this? ./photo.jpg"
      GEMMA4_API_KEY=… gemma4 chat --url https://api.example.org/v1 --model big --think low
    """
    from .model import RemoteModel, find_model
    from .server import remote_server

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    settings = collect_settings(
        option, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed, max_tokens=max_tokens
    )
    thinking, wanted = None if think is None else read_think(think), read_format(format)
    server = remote_server(url, api_key or session.settings.api_key)
    if server.sends_key_openly:
        out.warn(f"the key goes to {server.url} unencrypted; use https where others can listen")
    info, remark = find_model(server, model)
    if remark is not None:
        out.note(remark)
    remote = RemoteModel(server=server, info=info)
    from ..chat.session import ChatSession

    conversation = ChatSession(
        remote,
        raw=False,
        system=system,
        thinking=thinking,
        options=settings,
        format=wanted,
        stats=remote.stats,
    )
    question = Question.of(words, model, image=image, audio=audio, video=video)
    view = View(thought=not hide_thinking, stats=verbose, streams=not no_stream)
    _carry_out(session, out, conversation, remote, question, view)


def _carry_out(
    session: Session,
    out: Output,
    conversation: "ChatSession",
    remote: "RemoteModel",
    question: Question,
    view: View,
) -> None:
    """Answer once, or talk if there is no prompt and a person at the terminal."""
    from ..run.content import gather_content, read_piped, stdin_is_terminal
    from ..run.once import answer_once, check_prompt

    prompt = " ".join(question.words)
    talks = not prompt and stdin_is_terminal()
    content = gather_content(prompt, question.media, piped=read_piped(question.media))
    check_prompt(out, content, talks=talks, command="gemma4 chat")
    if not talks:
        answer_once(out, conversation, content, view, source=remote.server.url)
        return
    from ..chat.repl import talk

    talk(session, out, conversation, content.given, view, greeting=_greeting(remote))


def _greeting(remote: "RemoteModel") -> str:
    media = [kind for kind in remote.info.modalities if kind != "text"]
    takes = f"; takes {', '.join(media)}" if media and remote.info.is_described else ""
    name = f"{remote.info.name} at {remote.server.url}{takes}"
    return f"{name}; /help lists the commands, Ctrl-D leaves"
