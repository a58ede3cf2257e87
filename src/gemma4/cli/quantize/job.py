"""A quantization before it is done: what will be written where, how large, in which formats."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...tensors.entry import TensorEntry
from ...tensors.table import tensor_table
from ...weights.checkpoint import Checkpoint
from ...weights.compare import compare_tensors
from ...weights.gguf.checkpoint import is_projector_name
from ...weights.quantize.plan import refuse_requantizing, requantized

OnBytes = Callable[[int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A tensor of the model in the output.

    Attributes:
        format: that it gets.
        nbytes: that it takes.
    """

    entry: TensorEntry
    format: str
    nbytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Output:
    """One file or directory of a job.

    Attributes:
        nbytes: that it takes on the disk; of a directory the weights alone.
        targets: its tensors.
    """

    path: Path
    nbytes: int
    targets: Sequence[Target]


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What is to be done.

    Attributes:
        outputs: the model last.
        notes: what the user may want to know, one sentence each.
        write: does it; told the bytes of each piece.
    """

    outputs: Sequence[Output]
    notes: tuple[str, ...]
    write: Callable[[OnBytes], None]

    @property
    def nbytes(self) -> int:
        """All bytes to be written."""
        return sum(output.nbytes for output in self.outputs)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Tensors of all outputs."""
        return tuple(target for output in self.outputs for target in output.targets)

    @property
    def bits_per_weight(self) -> float:
        """Of all tensors."""
        values = sum(target.entry.num_elements for target in self.targets)
        return 8 * sum(target.nbytes for target in self.targets) / values


def formats_of(checkpoint: Checkpoint) -> Counter[str]:
    """Encoding → how many matrices of the source have it."""
    return Counter(
        tensor.encoding for tensor in checkpoint.source.tensors.values() if len(tensor.shape) > 1
    )


def encoded_again(checkpoint: Checkpoint, targets: Sequence[Target]) -> Counter[str]:
    """Encoding → number of tensors that were in these blocks and will be in others."""
    return requantized(_formats(targets), checkpoint.source.tensors)


def check_source(
    checkpoint: Checkpoint, targets: Sequence[Target], *, may_requantize: bool
) -> tuple[str, ...]:
    """Refuse a source that lacks tensors, or is quantized and may not be again; give notes.

    Raises:
        CheckpointError: tensors are missing, unexpected or of another shape.
        InputError: the source is quantized.
    """
    ignored = compare_tensors(checkpoint.source, tensor_table(checkpoint.config), checkpoint.config)
    stored = checkpoint.source.tensors
    if not may_requantize:
        refuse_requantizing(_formats(targets), stored, checkpoint.path)
    notes = [*checkpoint.notes]
    again = encoded_again(checkpoint, targets)
    if again:
        kinds = ", ".join(f"{count} × {encoding}" for encoding, count in sorted(again.items()))
        notes.append(f"quantized a second time, from what the first time left: {kinds}")
    if ignored.dead:
        notes.append(f"{len(ignored.dead)} tensors of layers that borrow keys were left out")
    if ignored.tied:
        notes.append("the head was left out: it is the embedding")
    return tuple(notes)


def check_file(checkpoint: Checkpoint, paths: Sequence[Path], *, replaces: bool) -> None:
    """Refuse to write GGUF files over others, over the source, or beside a second projector.

    Args:
        paths: the projector's, if any, and the model's.

    Raises:
        InputError: says which.
    """
    for path in paths:
        if path.exists() and path.resolve() == checkpoint.path.resolve():
            raise InputError(f"{path} is the source itself; choose another name")
        if path.exists() and (path.is_dir() or not replaces):
            raise InputError(f"{path} exists; choose another name, or give --force to replace it")
    folder = paths[-1].parent
    if len(paths) > 1 and folder.is_dir():
        others = [
            path.name
            for path in folder.iterdir()
            if path.suffix.lower() == ".gguf" and is_projector_name(path.name)
        ]
        if strange := sorted(set(others) - {path.name for path in paths}):
            raise InputError(
                f"{folder} has the projector {strange[0]}, and beside two a model does not know its "
                "own; choose another folder, or leave media out with --text-only"
            )


def check_directory(checkpoint: Checkpoint, directory: Path, *, replaces: bool) -> None:
    """Refuse to write a directory over another, unless that is a checkpoint and may be replaced.

    Raises:
        InputError: says why.
    """
    if not directory.exists():
        return
    if not directory.is_dir():
        raise InputError(f"{directory} is a file; a Hugging Face checkpoint is a directory")
    if directory.resolve() in (checkpoint.path.resolve(), checkpoint.path.resolve().parent):
        raise InputError(f"{directory} holds the source itself; choose another name")
    content = list(directory.iterdir())
    if not content:
        return
    if not replaces:
        raise InputError(
            f"{directory} exists and is not empty; choose another name, or give --force"
        )
    whole = (directory / "config.json").is_file() and not any(path.is_dir() for path in content)
    if not whole:
        raise InputError(
            f"{directory} is no checkpoint directory, so --force does not replace it; "
            "choose another name"
        )


def _formats(targets: Sequence[Target]) -> Mapping[str, str]:
    return {target.entry.name: target.format for target in targets}
