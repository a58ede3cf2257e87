"""`gemma4 chat`: talk to a model of a server."""

from typing import Annotated

import typer

from ..output import JsonOption, NoColorOption, QuietOption
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
from ..run.request import Manner, Question, View
from ..session import session_of

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
    from .server import remote_server
    from .talking import ask_server

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    settings = collect_settings(
        option, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed, max_tokens=max_tokens
    )
    manner = Manner.of(think, format, system=system, options=settings)
    question = Question.of(words, model, image=image, audio=audio, video=video)
    view = View(thought=not hide_thinking, stats=verbose, streams=not no_stream)
    server = remote_server(url, api_key or session.settings.api_key)
    ask_server(session, out, server, question, manner, view)
