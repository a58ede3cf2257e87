"""`gemma4 quantize`: the weights of a model in fewer bits, or in another file format."""

from pathlib import Path
from typing import Annotated

import typer

from ...hub.names import resolve
from ..output import JsonOption, NoColorOption, QuietOption
from ..session import session_of

ToOption = Annotated[
    str,
    typer.Option(
        "--to",
        help="q8_0, q6_k, q5_k_m, q5_k_s, q5_1, q5_0, q4_k_m, q4_k_s, q4_1, q4_0, w4a16, bf16, f16 "
        "or f32.",
    ),
]
OutputOption = Annotated[
    Path,
    typer.Option(
        "--output", "-o", help="A .gguf file, or a directory for w4a16 and plain numbers."
    ),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
RequantizeOption = Annotated[
    bool, typer.Option("--requantize", help="Take a source that is quantized already.")
]
TextOnlyOption = Annotated[
    bool, typer.Option("--text-only", help="GGUF without the projector for pictures and sound.")
]
NoCompareOption = Annotated[
    bool, typer.Option("--no-compare", help="Do not compare the answers with the source's.")
]
TextOption = Annotated[
    Path | None,
    typer.Option("--calibration-text", help="Compare on this text, not the built-in passage."),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be written.")]


def quantize(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="A name, a directory or a .gguf file.")],
    to: ToOption,
    output: OutputOption,
    force: ForceOption = False,
    requantize: RequantizeOption = False,
    text_only: TextOnlyOption = False,
    no_compare: NoCompareOption = False,
    calibration_text: TextOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Write a model's weights in fewer bits or another file format, and say what that changed.

    A .gguf runs here and in llama.cpp; what sees and hears goes into a second file, mmproj-NAME, beside
    it. Embeddings and per-layer tables keep 6 bits, router, towers and norms 16 or more. Memory holds one
    tensor at a time. The output appears when it is complete.

    \b
    Examples:
      gemma4 quantize e2b --to q4_k_m -o e2b-q4_k_m.gguf
      gemma4 quantize ./finetuned --to q8_0 -o finetuned.gguf --calibration-text sample.txt
      gemma4 quantize 31b --to w4a16 -o ./31b-w4a16
      gemma4 quantize 12b --to q4_0 -o 12b.gguf --dry-run
      gemma4 quantize model-q8_0.gguf --to q4_0 -o model-q4_0.gguf --requantize
    """
    from .steps import Request, carry_out

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    request = Request(
        source=source,
        path=resolve(source, session.store),
        to=to,
        output=output,
        replaces=force,
        may_requantize=requantize,
        text_only=text_only,
        compares=not no_compare,
        text=calibration_text,
        dry_run=dry_run,
    )
    carry_out(out, request)
