"""`gemma4 show`: what a model is, from its files."""

from typing import Annotated, Any

import typer

from ..errors import InputError
from ..hub.licence_text import read_licence
from ..hub.names import find_stored, resolve
from .output import JsonOption, NoColorOption, Output, QuietOption, align_columns, format_bytes
from .session import session_of


def show(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A name, a directory or a .gguf file.")],
    template: Annotated[bool, typer.Option("--template", help="Only the chat template.")] = False,
    licence: Annotated[
        bool, typer.Option("--license", "--licence", help="Only the licence's text.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Say what a model is: size, parameters, context, abilities, template, licence, files.

    Only headers are read, no weights.

    \b
    Examples:
      gemma4 show e2b
      gemma4 show e2b --template
      gemma4 show gemma3:270m --license
      gemma4 show ./model.gguf --json
    """
    from ..llm.card import describe_model

    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    path = resolve(model, session.store)
    manifest = find_stored(model, session.store)
    if template:
        from ..llm.assets import read_template_source
        from ..weights.open_checkpoint import open_checkpoint

        _print_template(out, model, read_template_source(open_checkpoint(path)))
    elif licence:
        _print_licence(out, model, read_licence(session.store, manifest, path))
    elif out.as_json:
        out.data(describe_model(model, path, manifest))
    else:
        _print_card(out, describe_model(model, path, manifest))


def _print_template(out: Output, model: str, template: str | None) -> None:
    if template is None:
        raise InputError(
            f"{model} came without a chat template; instruction-tuned models have one, base models "
            "continue text and need none"
        )
    if out.as_json:
        out.data({"template": template})
    else:
        out.result(template, end="" if template.endswith("\n") else "\n")


def _print_licence(out: Output, model: str, texts: dict[str, str]) -> None:
    if not texts:
        raise InputError(
            f"{model} came without a licence text; see the page of the repository it comes from"
        )
    if out.as_json:
        out.data({"licence": texts})
    else:
        out.result("\n\n".join(text.strip() for text in texts.values()))


def _print_card(out: Output, card: dict[str, Any]) -> None:
    rows = [
        ("name", str(card["name"])),
        ("architecture", f"{card['architecture']}, {card['format']}"),
        ("parameters", _parameters(card["parameters"])),
        ("context", f"{card['context_length']:,} tokens"),
        ("quantization", f"{card['quantization']} ({_encodings(card['encodings_bytes'])})"),
        ("modalities", ", ".join(card["modalities"])),
        ("capabilities", ", ".join(card["capabilities"])),
        ("template", _template(card["template"])),
        ("sampling", _sampling(card["sampling"])),
        ("licence", str(card["licence"] or "unknown")),
        ("source", _source(card["source"])),
        ("path", str(card["path"])),
    ]
    for line in align_columns(rows):
        out.result(line)
    out.result(f"files, {format_bytes(card['size_bytes'])}:")
    for line in align_columns([(f["path"], format_bytes(f["size"])) for f in card["files"]]):
        out.result(f"  {line}")
    for note in card["notes"]:
        out.warn(note)


def _parameters(count: dict[str, int]) -> str:
    words = [f"{_billions(count['total'])} in all"]
    if count["effective"] != count["text"]:
        words.append(f"{_billions(count['effective'])} effective")
    if count["active"] != count["effective"]:
        words.append(f"{_billions(count['active'])} active per token")
    if count["text"] != count["total"]:
        words.append(f"{_billions(count['total'] - count['text'])} for pictures and sound")
    return ", ".join(words)


def _billions(count: int) -> str:
    return f"{count / 1e9:.2f} B" if count >= 1e9 else f"{count / 1e6:.0f} M"


def _encodings(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name} {format_bytes(size)}" for name, size in sizes.items())


def _template(template: dict[str, Any] | None) -> str:
    return str(template["revision"]) if template else "none"


def _sampling(settings: dict[str, Any] | None) -> str:
    shown = ("do_sample", "temperature", "top_k", "top_p", "min_p", "repetition_penalty")
    words = [f"{key}={settings[key]}" for key in shown if key in settings] if settings else []
    return ", ".join(words) or "the checkpoint recommends nothing"


def _source(source: dict[str, str] | None) -> str:
    return f"{source['location']} @ {source['revision']}" if source else "local files"
