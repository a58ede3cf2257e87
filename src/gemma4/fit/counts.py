"""The table of tensors as memory sees it: what a tensor is for decides its precision and its place."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from ..config import DrafterConfig, ModelConfig
from ..tensors import entry as table
from ..tensors.entry import TensorEntry, TensorKind
from ..tensors.table import tensor_table


class Role(StrEnum):
    """What a tensor is for, as far as its precision and its place in memory depend on it."""

    EMBEDDING = "embedding"
    PER_LAYER_TABLE = "per_layer_table"
    LINEAR = "linear"
    EXPERTS = "experts"
    ROUTER = "router"
    VECTOR = "vector"
    VISION = "vision"
    AUDIO = "audio"
    INDEX = "index"


MEDIA_ROLES = frozenset({Role.VISION, Role.AUDIO})
"""Of the towers, embedders and projectors."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A tensor: what it is for, and its shape."""

    role: Role
    shape: tuple[int, ...]

    @property
    def num_elements(self) -> int:
        """Values in it."""
        return prod(self.shape)


def counted_tensors(config: ModelConfig | DrafterConfig) -> tuple[Counted, ...]:
    """All tensors; the head is the embedding and counts once."""
    return tuple(Counted(role_of(entry), entry.shape) for entry in tensor_table(config))


def role_of(entry: TensorEntry) -> Role:
    """What a tensor of the table is to memory."""
    match entry.role:
        case table.Role.VISION:
            return Role.VISION
        case table.Role.AUDIO:
            return Role.AUDIO
        case table.Role.PROJECTOR:
            return Role.VISION if "vision" in entry.name else Role.AUDIO
    match entry.kind:
        case TensorKind.LINEAR if entry.role is table.Role.ROUTER:
            return Role.ROUTER
        case TensorKind.NORM | TensorKind.SCALE:
            return Role.VECTOR
        case kind:
            return Role(kind.value)


def count_parameters(tensors: Iterable[Counted]) -> int:
    """Values in all of them."""
    return sum(tensor.num_elements for tensor in tensors)


def count_resident_values(config: ModelConfig, *, media: bool = True) -> int:
    """Values of all tensors but the per-layer table, which stays on disk, and at wish the towers."""
    left_out = {Role.PER_LAYER_TABLE} if media else {Role.PER_LAYER_TABLE, *MEDIA_ROLES}
    return count_parameters(t for t in counted_tensors(config) if t.role not in left_out)


def count_active_parameters(config: ModelConfig | DrafterConfig) -> int:
    """Values of the text decoder that one token passes: of the experts, those it is sent to."""
    text = [
        tensor
        for tensor in counted_tensors(config)
        if tensor.role not in {Role.PER_LAYER_TABLE, *MEDIA_ROLES}
    ]
    moe = config.text.moe
    experts = count_parameters(tensor for tensor in text if tensor.role is Role.EXPERTS)
    idle = experts * (moe.num_experts - moe.top_k) // moe.num_experts if moe else 0
    return count_parameters(text) - idle
