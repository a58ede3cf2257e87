"""`gemma4 run`: ask a model, once or in a conversation."""

import typer

from ..output import JsonOption, NoColorOption, QuietOption
from ..session import session_of
from .flags import (
    AudioOption,
    BudgetOption,
    ContextOption,
    DeviceOption,
    DrafterOption,
    DtypeOption,
    FormatOption,
    HideThinkingOption,
    ImageOption,
    KernelsOption,
    MaxRoundsOption,
    MaxTokensOption,
    MCPOption,
    ModelOption,
    NoStreamOption,
    RawOption,
    SeedOption,
    SettingOption,
    SystemOption,
    TemperatureOption,
    ThinkOption,
    ThreadsOption,
    ToolsOption,
    TopKOption,
    TopPOption,
    VerboseOption,
    VideoOption,
    WordsArgument,
    YesOption,
)
from .options import collect_settings
from .request import Manner, Placing, Question, Tooling, View


def run(
    context: typer.Context,
    words: WordsArgument = None,
    model: ModelOption = None,
    system: SystemOption = None,
    image: ImageOption = None,
    audio: AudioOption = None,
    video: VideoOption = None,
    image_budget: BudgetOption = None,
    think: ThinkOption = None,
    hide_thinking: HideThinkingOption = False,
    format: FormatOption = None,
    temperature: TemperatureOption = None,
    top_p: TopPOption = None,
    top_k: TopKOption = None,
    seed: SeedOption = None,
    max_tokens: MaxTokensOption = None,
    option: SettingOption = None,
    ctx: ContextOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
    kernels: KernelsOption = "auto",
    threads: ThreadsOption = None,
    drafter: DrafterOption = "lookup",
    raw: RawOption = None,
    tools: ToolsOption = None,
    mcp: MCPOption = None,
    yes: YesOption = False,
    max_rounds: MaxRoundsOption = 16,
    verbose: VerboseOption = False,
    no_stream: NoStreamOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Ask a model. Without a prompt, on a terminal: a conversation (/help says what it can do).

    The first word is the model if it names or looks like one; else all words are the prompt, for the
    largest downloaded model that fits this machine. Text from a pipe stands after the prompt. Media
    are attached by option, or by a path in the prompt. Stdout gets the answer, stderr all else.

    \b
    Examples:
      cat letter.txt | gemma4 run e4b --think --format person.json "Who wrote this? ./photo.jpg"
      gemma4 run e4b --tools tools.py --mcp "uvx mcp-server-time" "What time is it in Oslo?"
    """
    from .steps import carry_out

    settings = collect_settings(
        option, temperature=temperature, top_p=top_p, top_k=top_k, seed=seed, max_tokens=max_tokens
    )
    question = Question.of(words, model, image=image, audio=audio, video=video)
    manner = Manner.of(
        think, format, system=system, options=settings, image_budget=image_budget, raw=raw
    )
    placing = Placing.at(ctx, dtype, device, kernels, threads, drafter)
    tooling = Tooling.of(tools, mcp, yes=yes, max_rounds=max_rounds)
    view = View(thought=not hide_thinking, stats=verbose, streams=not no_stream)
    out = (session := session_of(context)).output(as_json=as_json, quiet=quiet, no_color=no_color)
    carry_out(session, out, question, manner, placing, tooling, view)
