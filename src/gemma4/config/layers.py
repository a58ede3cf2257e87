"""What each decoder layer is, resolved once. No module does arithmetic on a layer index."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

PAGE_TOKENS: Final = 32
"""Tokens of a page of keys and values."""


class LayerKind(StrEnum):
    """How far a layer's attention reaches; the values are those of `layer_types` in config.json."""

    SLIDING = "sliding_attention"
    FULL = "full_attention"


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeConfig:
    """Rotary embedding of one layer kind.

    The first `rotary_fraction` of the head's pairs (i, i + H/2) rotate, with the frequencies
    theta^(-2i/H) / factor; the others stand still. The denominator is always the whole head width H.
    """

    theta: float
    rotary_fraction: float = 1.0
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerSpec:
    """One decoder layer.

    Attributes:
        window: keys a query sees, itself included; None sees all.
        kv_source: index of the layer whose keys and values this one reads; its own index if it has any.
        keys_are_values: values come from the raw key projection; the layer has no `v_proj`.
        attention_scale: factor on query·key.
        normalizes_values: values pass an RMSNorm without weight (Gemma 4, not Gemma 3).
    """

    index: int
    kind: LayerKind
    num_heads: int
    num_kv_heads: int
    head_dim: int
    window: int | None
    rope: RopeConfig
    kv_source: int
    keys_are_values: bool
    intermediate_size: int
    attention_scale: float = 1.0
    normalizes_values: bool = True

    @property
    def owns_kv(self) -> bool:
        """True if the layer computes keys and values of its own."""
        return self.kv_source == self.index

    @property
    def is_sliding(self) -> bool:
        """True if the layer sees a window only."""
        return self.kind is LayerKind.SLIDING


@dataclass(frozen=True, kw_only=True, slots=True)
class KVGroup:
    """Layers of one kind that own keys and values: they have one shape and share a pool of pages.

    Attributes:
        layers: indices of the owners, ascending; a page holds its tokens' keys and values of them all.
        window: as in `LayerSpec`.
    """

    kind: LayerKind
    layers: tuple[int, ...]
    num_kv_heads: int
    head_dim: int
    window: int | None


def plan_kv_groups(specs: tuple[LayerSpec, ...]) -> tuple[KVGroup, ...]:
    """The sliding owners, then the full ones; a kind without owners has no group."""
    groups = []
    for kind in (LayerKind.SLIDING, LayerKind.FULL):
        owners = [spec for spec in specs if spec.kind is kind and spec.owns_kv]
        if not owners:
            continue
        shapes = {(spec.num_kv_heads, spec.head_dim, spec.window) for spec in owners}
        assert len(shapes) == 1, f"{kind.value} layers differ in shape: {sorted(shapes, key=str)}"
        num_kv_heads, head_dim, window = shapes.pop()
        groups.append(
            KVGroup(
                kind=kind,
                layers=tuple(spec.index for spec in owners),
                num_kv_heads=num_kv_heads,
                head_dim=head_dim,
                window=window,
            )
        )
    return tuple(groups)
