"""The words and options of `gemma4 run`, as typer takes them."""

from pathlib import Path
from typing import Annotated

import typer

WordsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="MODEL|PROMPT", help="Which model, and what to ask it."),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", "-m", help="The model; then every word belongs to the prompt."),
]
SystemOption = Annotated[
    str | None, typer.Option("--system", "-s", help="Instructions that stand above the prompt.")
]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option", "-o", metavar="KEY=VALUE", help="A sampling setting; may be repeated."
    ),
]
TemperatureOption = Annotated[
    float | None, typer.Option("--temperature", "-t", help="0 is greedy, 1 as trained.")
]
TopPOption = Annotated[
    float | None, typer.Option("--top-p", help="Only the likeliest tokens of this mass.")
]
TopKOption = Annotated[
    int | None, typer.Option("--top-k", help="Only so many of the likeliest tokens; 0: all.")
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="Same seed, same answer.")]
MaxTokensOption = Annotated[
    int | None, typer.Option("--max-tokens", "-n", help="Most tokens of the answer.")
]
ImageOption = Annotated[
    list[str] | None,
    typer.Option("--image", "-i", help="A picture: path, data: URL, or - for stdin. Repeatable."),
]
AudioOption = Annotated[
    list[str] | None, typer.Option("--audio", "-a", help="A sound, likewise. Repeatable.")
]
VideoOption = Annotated[
    list[str] | None, typer.Option("--video", help="A clip, likewise. Repeatable.")
]
BudgetOption = Annotated[
    int | None,
    typer.Option(
        "--image-budget", help="Most soft tokens of a picture: 70, 140, 280, 560 or 1120."
    ),
]
ThinkOption = Annotated[
    str | None,
    typer.Option(
        "--think",
        metavar="WORD",
        help="Let the model reason first: off, on, minimal, low, medium, high; alone: on.",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option("--format", help="Hold the answer to json, or to a JSON Schema in a file."),
]
HideThinkingOption = Annotated[
    bool, typer.Option("--hide-thinking", help="Let it reason, but do not show it.")
]
ContextOption = Annotated[
    int | None,
    typer.Option("--ctx", help="Tokens that prompt and answer may have together; default: all."),
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="float32, bfloat16, float16; auto: as the weights are.")
]
KernelsOption = Annotated[
    str,
    typer.Option(
        "--kernels",
        help="auto: compiled kernels on a processor, Triton's on a GPU; off: torch; or cuda, "
        "avx512-vnni, avx512-vnni-fp32, avx-vnni, avx2, neon, neon-2011, portable.",
    ),
]
ThreadsOption = Annotated[
    int | None,
    typer.Option("--threads", help="Of the processor; default: one for each core it may use."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="cpu, cuda, cuda:1; auto: a GPU if there is one.")
]
DrafterOption = Annotated[
    str,
    typer.Option(
        "--drafter", help="Guesses tokens ahead: a drafter's name or path, lookup, or none."
    ),
]
RawOption = Annotated[
    bool | None,
    typer.Option(
        "--raw/--no-raw",
        help="Continue the text without a chat template; default: for base models only.",
        show_default=False,
    ),
]
VerboseOption = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say at the end what was done, and how fast.")
]
NoStreamOption = Annotated[
    bool, typer.Option("--no-stream", help="Print the answer when it is whole.")
]
ToolsOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--tools", metavar="FILE.py", help="The model may call this file's functions. Repeatable."
    ),
]
MCPOption = Annotated[
    list[str] | None,
    typer.Option(
        "--mcp",
        metavar="COMMAND|URL",
        help="The model may call this MCP server's tools. Repeatable.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Run every call without asking. Mind what the tools do.")
]
MaxRoundsOption = Annotated[
    int,
    typer.Option("--max-rounds", min=1, help="Most rounds of calls before the model must answer."),
]
