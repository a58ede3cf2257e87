"""The steps of a quantization: check, leave out, write with a bar, compare if the machine can."""

from dataclasses import dataclass, replace
from pathlib import Path

from ...config import DrafterConfig, ModelConfig
from ...errors import EnvironmentFault, InputError
from ...hub.progress import Progress
from ...tensors.entry import Role
from ...tensors.table import tensor_table
from ...weights.checkpoint import Checkpoint
from ...weights.derived import NamedSource
from ...weights.open_checkpoint import open_checkpoint
from ...weights.output_files import require_space
from ...weights.quantize.recipes import find_recipe
from ..output import Output
from ..progress import show_downloads
from .comparison import Comparison, Passage, compare, read_passage
from .directory_job import plan_directory_job
from .gguf_job import plan_gguf_job
from .job import Job
from .report import describe, print_report

_MEDIA = (Role.VISION, Role.AUDIO, Role.PROJECTOR)
_ORDERED = "masked_embedding."


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What the user asked for.

    Attributes:
        source, path: as the user wrote it, and where it lies.
        to: name of the recipe.
        replaces: what is at `output` gives way.
        text: to compare on; None: the built-in passage.
    """

    source: str
    path: Path
    to: str
    output: Path
    replaces: bool
    may_requantize: bool
    text_only: bool
    compares: bool
    text: Path | None
    dry_run: bool


def carry_out(out: Output, request: Request) -> None:
    """Check, write, compare, report.

    Raises:
        InputError: what was asked cannot be done as asked.
        CheckpointError, ConfigError: the source is damaged, or the format cannot hold it.
        EnvironmentFault: the disk is too small, full or may not be written to.
    """
    recipe, is_gguf = find_recipe(request.to), request.output.suffix.lower() == ".gguf"
    if request.text_only and not is_gguf:
        raise InputError(
            f"{request.output} is a directory, which holds the whole model; drop --text-only"
        )
    checkpoint = open_checkpoint(request.path, text_only=request.text_only)
    if request.text_only:
        checkpoint = without_media(checkpoint)
    if is_gguf:
        checkpoint = without_ordered_head(checkpoint)
    job = (plan_gguf_job if is_gguf else plan_directory_job)(
        checkpoint,
        recipe,
        request.output,
        may_requantize=request.may_requantize,
        replaces=request.replaces,
    )
    comparison = None
    if not request.dry_run:
        passage = passage_for(out, checkpoint, request.text) if request.compares else None
        write_job(out, job)
        # Without a projector of its own, one that happens to lie there is none of its business.
        alone = is_gguf and len(job.outputs) == 1
        result = open_checkpoint(request.output, text_only=alone)
        if passage is not None:
            comparison = compare_if_possible(out, checkpoint, result, passage)
    report = describe(job, request.source, recipe.name, comparison)
    print_report(out, report, dry_run=request.dry_run)


def without_media(checkpoint: Checkpoint) -> Checkpoint:
    """The same checkpoint without what sees and hears.

    Raises:
        InputError: it is a drafter, which never does.
    """
    config = checkpoint.config
    if not isinstance(config, ModelConfig):
        raise InputError(f"{checkpoint.path} is a drafter, which has no media; drop --text-only")
    gone = {entry.name for entry in tensor_table(config) if entry.role in _MEDIA}
    if not gone:
        return checkpoint
    source = checkpoint.source
    kept = {name: tensor for name, tensor in source.tensors.items() if name not in gone}
    return replace(
        checkpoint,
        config=replace(config, vision=None, audio=None),
        source=NamedSource(path=source.path, tensors=kept),
        notes=(*checkpoint.notes, f"{len(gone)} tensors for pictures and sound were left out"),
    )


def without_ordered_head(checkpoint: Checkpoint) -> Checkpoint:
    """A drafter with the dense head alone: llama.cpp refuses a file with the tensors of the other.

    The ordered head looks at a part of the vocabulary only, the dense one at all of it, with the same
    embedding; its guesses are the better ones. Any other model comes back as it is.
    """
    config = checkpoint.config
    if not isinstance(config, DrafterConfig) or not config.num_centroids:
        return checkpoint
    gone = {entry.name for entry in tensor_table(config) if entry.name.startswith(_ORDERED)}
    source = checkpoint.source
    kept = {name: tensor for name, tensor in source.tensors.items() if name not in gone}
    note = f"{len(gone)} tensors of the ordered head were left out: llama.cpp does not load them"
    return replace(
        checkpoint,
        config=replace(config, num_centroids=0, top_centroids=0),
        source=NamedSource(path=source.path, tensors=kept),
        notes=(*checkpoint.notes, f"{note}; the drafter looks at the whole vocabulary instead"),
    )


def write_job(out: Output, job: Job) -> None:
    """Write everything, with a bar on a terminal.

    Raises:
        EnvironmentFault: the disk is too small, full or may not be written to.
        CheckpointError: a weight is no number.
    """
    place = job.outputs[-1].path
    require_space(place.absolute().parent, job.nbytes)
    total = sum(target.nbytes for target in job.targets)
    done = 0
    try:
        with show_downloads(out) as report:

            def on_bytes(count: int) -> None:
                nonlocal done
                done += count
                report(Progress(file=place.name, done=done, total=total))

            job.write(on_bytes)
    except KeyboardInterrupt:
        out.note(f"stopped; {place} was not written")
        raise


def passage_for(out: Output, source: Checkpoint, text: Path | None) -> Passage | None:
    """What to compare on; None, with a warning, for a drafter.

    Raises:
        InputError: the text cannot be read.
    """
    if isinstance(source.config, DrafterConfig):
        out.warn("not compared: a drafter answers nothing by itself")
        return None
    return read_passage(source, text)


def compare_if_possible(
    out: Output, source: Checkpoint, result: Checkpoint, passage: Passage
) -> Comparison | None:
    """The comparison, or a warning why there is none; what was written is good in any case."""
    out.note("comparing with the source …")
    try:
        return compare(source, result, passage)
    except EnvironmentFault as error:
        out.warn(f"not compared: {error}")
        return None
