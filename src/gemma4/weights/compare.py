"""Compares what a checkpoint has with what the model needs; all differences go into one error."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from ..config import DrafterConfig, ModelConfig
from ..errors import CheckpointError
from ..tensors.entry import TensorEntry
from ..tensors.table import LANGUAGE_MODEL, dead_tensor_names
from .source import StoredTensor, TensorSource

HEAD = "lm_head.weight"
"""A copy of the embedding that some files carry; Gemma's head is the embedding itself."""

_ROWS_AT_ONCE = 8192


@dataclass(kw_only=True, slots=True)
class Differences:
    """What does not fit, one phrase a tensor."""

    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)

    def raise_any(self, path: Path) -> None:
        """Raise one error with all of them, if there are any.

        Raises:
            CheckpointError: something is missing, unexpected or of another shape.
        """
        groups = (
            ("missing", self.missing),
            ("unexpected", self.unexpected),
            ("of another shape", self.misshapen),
        )
        found = [f"{len(names)} {what}: {', '.join(names)}" for what, names in groups if names]
        if found:
            raise CheckpointError(
                f"{path} does not fit the model its configuration describes; {'; '.join(found)}. "
                "Fetch the checkpoint again, or the configuration that belongs to it"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ignored:
    """Tensors the model has no use for: of layers that borrow keys, and a head that is tied."""

    dead: tuple[str, ...]
    tied: tuple[str, ...]


def compare_tensors(
    source: TensorSource, entries: Sequence[TensorEntry], config: ModelConfig | DrafterConfig
) -> Ignored:
    """Check names and shapes; reads nothing but a stored head, which must equal the embedding.

    Args:
        source: tensors by module path.

    Raises:
        CheckpointError: names every tensor that is missing, unexpected or of another shape.
    """
    differences = Differences()
    tensors = source.tensors
    for entry in entries:
        if entry.name not in tensors:
            differences.missing.append(f"{entry.name} {list(entry.shape)}")
        elif tensors[entry.name].shape != entry.shape:
            found = list(tensors[entry.name].shape)
            differences.misshapen.append(f"{entry.name} is {found}, expected {list(entry.shape)}")
    surplus = {name: tensors[name] for name in tensors.keys() - {entry.name for entry in entries}}
    dead = tuple(sorted(surplus.keys() & {name for name, _ in dead_tensor_names(config)}))
    tied = _tied_head(surplus, tensors, config, differences)
    unknown = sorted(surplus.keys() - {*dead, *tied, HEAD})
    differences.unexpected.extend(_describe(surplus[name], name) for name in unknown)
    differences.raise_any(source.path)
    return Ignored(dead=dead, tied=tied)


def compare_modules(model: torch.nn.Module, entries: Iterable[TensorEntry], path: Path) -> None:
    """Check that the model's parameters and buffers are exactly the table's.

    Raises:
        CheckpointError: the model was built from another configuration than the checkpoint's.
    """
    found = {
        **{name: tuple(tensor.shape) for name, tensor in model.named_parameters()},
        **{name: tuple(tensor.shape) for name, tensor in model.named_buffers()},
    }
    expected = {entry.name: entry.shape for entry in entries}
    different = sorted(
        f"{name} (model {_shown(found.get(name))}, checkpoint {_shown(expected.get(name))})"
        for name in found.keys() | expected.keys()
        if found.get(name) != expected.get(name)
    )
    if different:
        raise CheckpointError(
            f"the model was built from another configuration than that of {path}: "
            f"{', '.join(different)}; build it from the checkpoint's own"
        )


def _shown(shape: tuple[int, ...] | None) -> str:
    return "has none" if shape is None else str(list(shape))


def _describe(tensor: StoredTensor, name: str) -> str:
    stored = "" if tensor.name == name else f", in the file {tensor.name}"
    return f"{name} {list(tensor.shape)}{stored}"


def _tied_head(
    surplus: Mapping[str, StoredTensor],
    tensors: Mapping[str, StoredTensor],
    config: ModelConfig | DrafterConfig,
    differences: Differences,
) -> tuple[str, ...]:
    """A stored head that equals the embedding; one that does not is a difference."""
    if HEAD not in surplus:
        return ()
    prefix = "model." if isinstance(config, DrafterConfig) else LANGUAGE_MODEL
    embedding = tensors.get(f"{prefix}embed_tokens.weight")
    if embedding is not None and _equal(surplus[HEAD], embedding):
        return (HEAD,)
    differences.unexpected.append(
        f"{_describe(surplus[HEAD], HEAD)} (differs from embed_tokens, which the head is tied to)"
    )
    return ()


def _equal(first: StoredTensor, second: StoredTensor) -> bool:
    """True if two tables hold the same values; compared some rows at a time."""
    if first.shape != second.shape:
        return False
    for start in range(0, first.shape[0], _ROWS_AT_ONCE):
        rows = torch.arange(start, min(start + _ROWS_AT_ONCE, first.shape[0]))
        if not torch.equal(first.rows(rows, torch.float32), second.rows(rows, torch.float32)):
            return False
    return True
