"""`gemma4 bench`: how fast a model reads and answers on this machine."""

from typing import Annotated

import typer

from ...errors import InputError
from ..output import JsonOption, NoColorOption, QuietOption
from ..run.flags import DeviceOption, DtypeOption, KernelsOption, ThreadsOption
from ..session import session_of

PromptOption = Annotated[
    int, typer.Option("--pp", help="Tokens of the prompts that are read; 0: none.")
]
StepsOption = Annotated[
    int, typer.Option("--tg", help="Tokens that each stream makes in a round; 0: none.")
]
DepthOption = Annotated[
    str, typer.Option("--depth", "-d", help="Tokens in front of what is measured: 0,512,4096.")
]
ConcurrencyOption = Annotated[
    str, typer.Option("--concurrency", "-c", help="Streams that decode together: 1,2,4,8.")
]
VerifyOption = Annotated[
    str | None,
    typer.Option("--verify", help="Also passes over so many tokens, which check drafts: 4,8."),
]
RoundsOption = Annotated[
    int, typer.Option("--rounds", "-r", help="Rounds that count; one more goes before them.")
]
KvDtypeOption = Annotated[
    str, typer.Option("--kv-dtype", help="Of keys and values: float32, bfloat16, float16, int8.")
]
KvMemoryOption = Annotated[
    float | None,
    typer.Option(
        "--kv-memory",
        metavar="GB",
        help="Of keys and values of all streams; default: what they need, up to half of what is free.",
    ),
]
ProfileOption = Annotated[
    bool, typer.Option("--profile", help="Also the time in each kind of the kernels' steps.")
]


def bench(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A name, a directory or a .gguf file.")],
    pp: PromptOption = 512,
    tg: StepsOption = 64,
    depth: DepthOption = "0",
    concurrency: ConcurrencyOption = "1",
    verify: VerifyOption = None,
    rounds: RoundsOption = 5,
    profile: ProfileOption = False,
    kv_dtype: KvDtypeOption = "auto",
    kv_memory: KvMemoryOption = None,
    dtype: DtypeOption = "auto",
    device: DeviceOption = "auto",
    kernels: KernelsOption = "auto",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Measure how fast a model reads prompts and makes tokens here.

    Everything runs through the engine, as requests do: random words, greedy, nothing guessed ahead.
    Figures are medians of the rounds; the round before them is not counted. READ is how fast decoding
    reads the weights, OF WEIGHTS and OF MEMORY which share that is of what this machine reads of these
    very weights where they lie, and of any memory; keys and values come on top. Ctrl-C prints what is
    done.

    \b
    Examples:
      gemma4 bench e2b
      gemma4 bench e2b --depth 0,512,4096 --concurrency 1,2,4,8
      gemma4 bench ./model.gguf --verify 4 --profile
      gemma4 bench e4b --pp 0 --tg 128 --json
    """
    from ...llm.benchmark import Plan
    from .steps import Request, carry_out

    out = (session := session_of(context)).output(as_json=as_json, quiet=quiet, no_color=no_color)
    plan = Plan(
        prompt=pp,
        steps=tg,
        depths=_numbers("--depth", depth),
        streams=_numbers("--concurrency", concurrency),
        checked=() if verify is None else _numbers("--verify", verify),
        rounds=rounds,
    )
    request = Request(
        model=model,
        plan=plan,
        device=device,
        dtype=dtype,
        kernels=kernels,
        threads=threads,
        kv_dtype=kv_dtype,
        kv_memory=None if kv_memory is None else int(kv_memory * 1e9),
        profiles=profile,
    )
    if not carry_out(session, out, request):
        raise typer.Exit(130)


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """Numbers by commas, each once.

    Raises:
        InputError: something else.
    """
    words = [word.strip() for word in text.split(",")]
    wrong = [word for word in words if not word.isdecimal()]
    if wrong:
        raise InputError(f"{option} {wrong[0]!r} is no number; give numbers by commas, as in 1,2,4")
    return tuple(dict.fromkeys(int(word) for word in words))
