"""Every tensor of an output with its name and format, from the configuration alone."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from ...config import DrafterConfig, ModelConfig
from ...errors import CheckpointError, InputError
from ...quant import TensorFormat
from ...tensors.entry import Role, TensorEntry
from ...tensors.table import tensor_table
from ..gguf.mmproj import gguf_shape
from ..load import is_plain
from ..source import StoredTensor
from .recipes import Recipe, fitting_format, wanted_format

_MEDIA = (Role.VISION, Role.AUDIO, Role.PROJECTOR)


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedTensor:
    """A tensor of a GGUF file to be.

    Attributes:
        name, shape: in the file, outermost dimension first.
        format: that it gets.
        wanted: the format that the recipe gives it; another than `format` where rows do not fit.
    """

    entry: TensorEntry
    name: str
    shape: tuple[int, ...]
    format: TensorFormat
    wanted: str

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return prod(self.shape[:-1]) * self.format.row_bytes(self.shape[-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class GgufPlan:
    """The tensors of the text file, and of the projector's; the latter are none for text models."""

    text: tuple[PlannedTensor, ...]
    media: tuple[PlannedTensor, ...]

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for each format that rows of a tensor did not fit into."""
        return _fallback_notes((*self.text, *self.media))


def plan_gguf(config: ModelConfig | DrafterConfig, recipe: Recipe) -> GgufPlan:
    """Choose the format of every tensor.

    Raises:
        InputError: the recipe is not one of GGUF.
        CheckpointError: llama.cpp has no name for a tensor.
    """
    if recipe.file_type is None:
        raise InputError(
            f"{recipe.name} is no GGUF format; give a directory as output, without .gguf"
        )
    planned = [_plan(entry, recipe, config) for entry in tensor_table(config)]
    return GgufPlan(
        text=tuple(tensor for tensor in planned if tensor.entry.role not in _MEDIA),
        media=tuple(tensor for tensor in planned if tensor.entry.role in _MEDIA),
    )


def refuse_requantizing(
    targets: Mapping[str, str], tensors: Mapping[str, StoredTensor], path: object
) -> None:
    """Refuse to encode again what is stored in blocks, unless it keeps its format.

    Args:
        targets: module path → name of the format it would get.
        tensors: what is stored, by module path.

    Raises:
        InputError: counts the tensors of each encoding.
    """
    again = requantized(targets, tensors)
    if again:
        kinds = ", ".join(f"{count} × {encoding}" for encoding, count in sorted(again.items()))
        raise InputError(
            f"{path} is quantized already ({kinds} would be quantized a second time, which loses "
            "more than once from the original); take the original, or give --requantize"
        )


def requantized(targets: Mapping[str, str], tensors: Mapping[str, StoredTensor]) -> Counter[str]:
    """Encoding → number of tensors stored in it that would be encoded in other blocks."""
    plain = ("F32", "F16", "BF16", "I64")
    return Counter(
        tensors[name].encoding
        for name, target in targets.items()
        if target not in plain and not is_plain(tensors[name]) and tensors[name].encoding != target
    )


def _plan(entry: TensorEntry, recipe: Recipe, config: ModelConfig | DrafterConfig) -> PlannedTensor:
    if entry.gguf_name is None:
        raise CheckpointError(
            f"tensor {entry.name} has no name in the GGUF format; write safetensors instead"
        )
    shape = gguf_shape(entry)
    wanted = wanted_format(entry, recipe, config.text)
    return PlannedTensor(
        entry=entry,
        name=entry.gguf_name,
        shape=shape,
        format=fitting_format(wanted, shape[-1]),
        wanted=wanted,
    )


def _fallback_notes(tensors: Iterable[PlannedTensor]) -> tuple[str, ...]:
    found: dict[tuple[str, str, int], list[str]] = {}
    for tensor in tensors:
        if tensor.format.name != tensor.wanted:
            key = (tensor.wanted, tensor.format.name, tensor.shape[-1])
            found.setdefault(key, []).append(tensor.name)
    return tuple(
        f"{len(names)} tensors ({names[0]}{', …' if len(names) > 1 else ''}) are {got} instead of "
        f"{wanted}: their rows of {columns} are no whole number of its blocks"
        for (wanted, got, columns), names in found.items()
    )
