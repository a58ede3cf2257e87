"""Hugging Face checkpoints whose linear weights are packed to 4 bits (W4A16).

A weight `X` is stored as `X_packed`, `X_scale`, `X_shape` and, where the scheme has them,
`X_zero_point` and `X_g_idx`. Layers that the configuration ignores (embeddings, head, towers) are
plain tensors. Which layers are packed is told by the files; the configuration must agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ...errors import CheckpointError, ConfigError
from ...quant import PackedWeight
from ...quant.w4a16 import PER_WORD
from ..mapped_tensor import MappedTensor
from .packed_tensor import PackedTensor
from .packing_scheme import PackingScheme, read_schemes
from .safetensors_files import SafetensorsSource, open_safetensors

_PACKED = ".weight_packed"
_PARTS = ("packed", "scale", "shape", "zero_point", "g_idx")
_PART_ENDINGS = (".weight_scale", ".weight_shape", ".weight_zero_point", ".weight_g_idx")
_SCALE_TYPES = ("BF16", "F16", "F32")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class CompressedTensorsSource:
    """A checkpoint's tensors, packed weights among them under their plain names.

    Attributes:
        path: of the file or directory.
        tensors: name → tensor, sorted by name.
    """

    path: Path
    tensors: Mapping[str, MappedTensor | PackedTensor]


def open_huggingface(
    path: Path, quantization_config: Mapping[str, Any] | None
) -> SafetensorsSource | CompressedTensorsSource:
    """Open a Hugging Face checkpoint, given the `quantization_config` of its config.json, if any.

    Raises:
        ConfigError: the weights are quantized in a way that is not supported, or are packed and
            the configuration does not say how.
        ModelNotFoundError, CheckpointError, EnvironmentFault: as `open_safetensors`, and a packed
            weight whose parts do not fit each other.
    """
    if quantization_config is not None:
        schemes = read_schemes(quantization_config, path)
        return unpack(open_safetensors(path), schemes)
    source = open_safetensors(path)
    if packed := [name for name in source.tensors if name.endswith(_PACKED)]:
        raise ConfigError(
            f"{path} has {len(packed)} packed weights ({packed[0]}, …) but its config.json no "
            "quantization_config; download config.json again"
        )
    return source


def unpack(
    source: SafetensorsSource, schemes: tuple[PackingScheme, ...]
) -> CompressedTensorsSource:
    """Put the parts of each packed weight together.

    Raises:
        CheckpointError: parts are missing, left over or do not fit each other or the schemes.
    """
    rest = dict(source.tensors)
    packed: dict[str, PackedTensor] = {}
    for name in [name for name in rest if name.endswith(_PACKED)]:
        weight = name.removesuffix("_packed")
        if weight in rest:
            raise _damaged(source.path, weight, "is stored both packed and plain")
        parts = {part: rest.pop(f"{weight}_{part}", None) for part in _PARTS}
        packed[weight] = _Assembly(source.path, weight, parts).build(schemes)
    if not packed:
        raise CheckpointError(
            f"{source.path}: config.json says the weights are packed, but no tensor ends in "
            f"{_PACKED}; download config.json and the weights of one revision"
        )
    if left := sorted(name for name in rest if name.endswith(_PART_ENDINGS)):
        raise _damaged(source.path, left[0], f"is one of {len(left)} parts without {_PACKED}")
    return CompressedTensorsSource(path=source.path, tensors=dict(sorted((rest | packed).items())))


def _damaged(path: Path, weight: str, problem: str) -> CheckpointError:
    return CheckpointError(
        f"{path}: {weight} {problem}; download config.json and the weights of one revision"
    )


@dataclass(frozen=True, slots=True)
class _Assembly:
    """The parts of one weight, while they are checked against each other."""

    path: Path
    name: str
    parts: Mapping[str, MappedTensor | None]

    def build(self, schemes: tuple[PackingScheme, ...]) -> PackedTensor:
        shape = self._read_shape()
        *leading, columns = shape
        rows = leading[-1]
        packed = self._part("packed", ("I32",), (*leading, -(-columns // PER_WORD)))
        groups = self._count_groups(tuple(leading), columns)
        scale = self._part("scale", _SCALE_TYPES, (*leading, groups))
        zero_point = None
        if self.parts["zero_point"] is not None:
            if len(shape) > 2 and rows % PER_WORD:
                raise self._refuse(f"has zero points for {rows} rows, not a multiple of {PER_WORD}")
            words = (*leading[:-1], -(-rows // PER_WORD), groups)
            zero_point = self._part("zero_point", ("I32",), words).flatten(0, -2)
        scheme = PackingScheme(
            group_size=None if groups == 1 else columns // groups,
            symmetric=zero_point is None,
            reordered=self.parts["g_idx"] is not None,
        )
        if not any(_fits(scheme, declared, columns) for declared in schemes):
            raise self._refuse(f"is packed as {scheme}, which config.json does not list")
        weight = PackedWeight(
            columns=columns,
            packed=packed.flatten(0, -2),
            scale=scale.flatten(0, -2),
            zero_point=zero_point,
            group_index=self._read_group_index(shape, groups),
        )
        stretches = tuple(part.data for part in self.parts.values() if part is not None)
        return PackedTensor(name=self.name, shape=shape, weight=weight, stretches=stretches)

    def _read_shape(self) -> tuple[int, ...]:
        part = self.parts["shape"]
        if part is None or part.encoding not in ("I32", "I64") or part.shape not in ((2,), (3,)):
            raise self._refuse("has no usable _shape of 2 or 3 integers")
        shape = tuple(int(size) for size in part.read().tolist())
        if min(shape) <= 0:
            raise self._refuse(f"has the impossible shape {list(shape)}")
        return shape

    def _count_groups(self, leading: tuple[int, ...], columns: int) -> int:
        part = self.parts["scale"]
        if part is None:
            raise self._refuse("has no _scale")
        groups = part.shape[-1] if part.shape else 0
        if groups <= 0 or columns % groups:
            raise self._refuse(f"has {groups} scales a row for {[*leading, columns]}")
        return groups

    def _part(self, part: str, encodings: tuple[str, ...], shape: tuple[int, ...]) -> Tensor:
        stored = self.parts[part]
        if stored is None:
            raise self._refuse(f"has no _{part}")
        if stored.encoding not in encodings or stored.shape != shape:
            raise self._refuse(
                f"has a _{part} of {stored.encoding} {list(stored.shape)}, "
                f"expected {' or '.join(encodings)} {list(shape)}"
            )
        return stored.read()

    def _read_group_index(self, shape: tuple[int, ...], groups: int) -> Tensor | None:
        if self.parts["g_idx"] is None:
            return None
        if len(shape) != 2:
            raise self._refuse("has a _g_idx for more than one matrix, which is not supported")
        index = self._part("g_idx", ("I32", "I64"), (shape[-1],)).long()
        if bool((index == -1).all()):  # written where no order was computed
            return None
        if int(index.min()) < 0 or int(index.max()) >= groups:
            raise self._refuse(f"has a _g_idx outside its {groups} groups")
        return index

    def _refuse(self, problem: str) -> CheckpointError:
        return _damaged(self.path, self.name, problem)


def _fits(found: PackingScheme, declared: PackingScheme, columns: int) -> bool:
    """Whether the files are what a declared scheme makes of rows of `columns` weights."""
    size = declared.group_size
    expected = None if size is None or size >= columns else size
    return (
        found.group_size == expected
        and found.symmetric == declared.symmetric
        and found.reordered >= declared.reordered
    )
