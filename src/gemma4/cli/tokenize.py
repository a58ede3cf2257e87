"""`gemma4 tokenize`: text to token ids, without a model."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..hub.names import resolve
from .output import JsonOption, NoColorOption, Output, QuietOption
from .session import Session, session_of

if TYPE_CHECKING:
    from ..text.tokens.tokenizer import Tokenizer


def tokenize(
    context: typer.Context,
    text: Annotated[str | None, typer.Argument(help="The text; default or `-`: stdin.")] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Whose tokenizer; default: Gemma 4's, built in."),
    ] = None,
    count: Annotated[bool, typer.Option("--count", "-c", help="Only how many.")] = False,
    pieces: Annotated[bool, typer.Option("--pieces", help="Each id with its text.")] = False,
    special: Annotated[
        bool, typer.Option("--special", help="Read `<|turn>` and its like as control tokens.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Turn text into token ids. Needs no download: Gemma 4's tokenizer is built in.

    `<bos>` is not added: a model's own template does that.

    \b
    Examples:
      gemma4 tokenize "Why is the sky blue?"
      gemma4 tokenize --count < book.txt
      gemma4 tokenize --special --pieces "<|turn>user"
      gemma4 tokenize --json --model gemma3:270m hello
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    content = _read_stdin() if text in (None, "-") else str(text)
    tokenizer = _load(session, out, model)
    ids = tokenizer.encode(content, allow_special=special)
    if out.as_json:
        source = model or "gemma4"
        if count:
            out.data({"tokenizer": source, "count": len(ids)})
        else:
            texts = [tokenizer.decode([id]) for id in ids]
            out.data({"tokenizer": source, "count": len(ids), "ids": ids, "pieces": texts})
    elif count:
        out.result(str(len(ids)))
    elif pieces:
        _print_pieces(out, tokenizer, ids)
    else:
        out.result(" ".join(map(str, ids)))


def _print_pieces(out: Output, tokenizer: "Tokenizer", ids: list[int]) -> None:
    for id in ids:
        kind = "   special" if tokenizer.is_special(id) else ""
        out.result(f"{id:>6}   {tokenizer.decode([id])!r}{kind}")


def _read_stdin() -> str:
    if sys.stdin.isatty():
        raise InputError("no text: give it as an argument or through a pipe (`gemma4 tokenize -h`)")
    data = sys.stdin.buffer.read()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InputError(
            f"byte {error.start} of stdin is no UTF-8 (0x{data[error.start]:02x}); "
            "convert the text first, for example with iconv"
        ) from error


def _load(session: Session, out: Output, model: str | None) -> "Tokenizer":
    if model is None:
        from ..text.tokens.packaged import packaged_tokenizer

        return packaged_tokenizer()
    path = resolve(model, session.store)
    if (path / "tokenizer.json").is_file():
        from ..text.tokens.tokenizer import tokenizer_from_directory

        return tokenizer_from_directory(path)
    from ..llm.assets import read_tokenizer
    from ..weights.open_checkpoint import open_checkpoint

    checkpoint = open_checkpoint(path, text_only=True)
    tokenizer, notes = read_tokenizer(checkpoint, checkpoint.config.text.vocab_size)
    for note in notes:
        out.warn(note)
    return tokenizer
