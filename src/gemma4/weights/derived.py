"""Tensors stored otherwise than the model wants them: converted on reading, or made of parts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..errors import CheckpointError
from .source import StoredTensor

Place = tuple[slice | int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedSource:
    """Tensors of a checkpoint under the names the model has for them."""

    path: Path
    tensors: Mapping[str, StoredTensor]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertedTensor:
    """A stored tensor that a function turns into the model's.

    Attributes:
        shape: of the result.
        convert: pure; gets and gives a whole tensor.
        arithmetic: values change, not only their order or shape; the function runs in float32.
    """

    stored: StoredTensor
    shape: tuple[int, ...]
    convert: Callable[[Tensor], Tensor]
    arithmetic: bool = False

    @property
    def name(self) -> str:
        """The name in the file."""
        return self.stored.name

    @property
    def encoding(self) -> str:
        """How the values are stored."""
        return self.stored.encoding

    @property
    def nbytes(self) -> int:
        """Bytes it takes in the file."""
        return self.stored.nbytes

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Read and convert the whole tensor; see `StoredTensor.read`."""
        if not self.arithmetic:
            return self.convert(self.stored.read(dtype)).contiguous()
        converted = self.convert(self.stored.read(torch.float32))
        return converted if dtype is None else converted.to(dtype)

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Read rows of the result; the whole tensor is read for them."""
        return self.read(dtype)[index]


@dataclass(frozen=True, kw_only=True, slots=True)
class JoinedTensor:
    """A tensor whose parts are stored one by one, such as the experts of a layer.

    Attributes:
        name: the first part's name in the file.
        parts: where each stored part goes in the whole.
    """

    name: str
    shape: tuple[int, ...]
    parts: Sequence[tuple[Place, StoredTensor]]

    @property
    def encoding(self) -> str:
        """How the parts are stored; several encodings are joined by a plus sign."""
        return "+".join(sorted({part.encoding for _, part in self.parts}))

    @property
    def nbytes(self) -> int:
        """Bytes the parts take in the file."""
        return sum(part.nbytes for _, part in self.parts)

    def read(self, dtype: torch.dtype | None = None) -> Tensor:
        """Read part by part into one tensor; without a dtype, in the widest that a part has."""
        if dtype is None:
            dtype = self.parts[0][1].read().dtype
            for _, part in self.parts[1:]:
                dtype = torch.promote_types(dtype, part.read().dtype)
        whole = torch.empty(self.shape, dtype=dtype)
        for place, part in self.parts:
            target, values = whole[place], part.read(dtype)
            if target.shape != values.shape:
                raise CheckpointError(
                    f"tensor {part.name} has the shape {list(values.shape)}, but as a part of "
                    f"{list(self.shape)} it must have {list(target.shape)}; the file is damaged or "
                    "of another model"
                )
            target.copy_(values)
        return whole

    def rows(self, index: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Read rows of the whole; all parts are read for them."""
        return self.read(dtype)[index]


def with_offset(stored: StoredTensor, offset: float) -> ConvertedTensor:
    """The stored values plus a constant, added in float32."""
    return ConvertedTensor(
        stored=stored, shape=stored.shape, convert=lambda values: values + offset, arithmetic=True
    )
