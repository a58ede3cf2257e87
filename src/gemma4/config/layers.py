"""What each decoder layer is, resolved once. No module does arithmetic on a layer index."""

from dataclasses import dataclass
from enum import StrEnum


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
