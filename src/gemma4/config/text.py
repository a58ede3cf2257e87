"""The text decoder's configuration, for Gemma 4 of every size, its drafters and Gemma 3 text."""

from dataclasses import dataclass

from ..errors import ConfigError
from .layers import LayerKind, LayerSpec, RopeConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class MoeConfig:
    """Experts beside the dense MLP of every layer."""

    num_experts: int
    top_k: int
    intermediate_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TextConfig:
    """The decoder. A missing sub-config, or a zero, means that the feature is absent.

    Attributes:
        head_dim, num_kv_heads: of sliding layers; `full_head_dim`, `num_full_kv_heads` of full ones.
        num_kv_shared_layers: the last so many layers own no keys and values and read those of the last
            layer of their kind before them. Equal to the number of layers in a drafter: all is borrowed.
        double_wide_mlp: the sharing layers' MLP has twice the width.
        per_layer_dim: width of the per-layer embeddings (E2B, E4B), else 0.
        bidirectional_media: tokens of one image see each other both ways, on sliding layers.
        norm_weight_offset: what the checkpoint's norm weights lack (1.0 in Gemma 3's, which store w − 1).
    """

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    layer_kinds: tuple[LayerKind, ...]
    num_heads: int
    num_kv_heads: int
    num_full_kv_heads: int
    head_dim: int
    full_head_dim: int
    sliding_window: int
    max_positions: int
    rope_sliding: RopeConfig
    rope_full: RopeConfig
    keys_are_values: bool = False
    num_kv_shared_layers: int = 0
    double_wide_mlp: bool = False
    per_layer_dim: int = 0
    per_layer_vocab_size: int = 0
    moe: MoeConfig | None = None
    bidirectional_media: bool = False
    logit_softcap: float | None = None
    attention_scale: float = 1.0
    normalizes_values: bool = True
    has_layer_scalar: bool = True
    norm_weight_offset: float = 0.0
    norm_eps: float = 1e-6

    @property
    def num_layers(self) -> int:
        """Number of decoder layers."""
        return len(self.layer_kinds)

    @property
    def first_shared_layer(self) -> int:
        """Index of the first layer without keys and values of its own."""
        return self.num_layers - self.num_kv_shared_layers

    def plan_layers(self) -> tuple[LayerSpec, ...]:
        """Resolve every layer.

        Raises:
            ConfigError: a sharing layer has no layer of its kind to read from.
        """
        return tuple(self._plan_layer(index) for index in range(self.num_layers))

    def _plan_layer(self, index: int) -> LayerSpec:
        kind = self.layer_kinds[index]
        sliding = kind is LayerKind.SLIDING
        shared = index >= self.first_shared_layer
        return LayerSpec(
            index=index,
            kind=kind,
            num_heads=self.num_heads,
            num_kv_heads=self.num_kv_heads if sliding else self.num_full_kv_heads,
            head_dim=self.head_dim if sliding else self.full_head_dim,
            window=self.sliding_window if sliding else None,
            rope=self.rope_sliding if sliding else self.rope_full,
            kv_source=self._last_owner(kind) if shared else index,
            keys_are_values=self.keys_are_values and not sliding,
            intermediate_size=self.intermediate_size
            * (2 if shared and self.double_wide_mlp else 1),
            attention_scale=self.attention_scale,
            normalizes_values=self.normalizes_values,
        )

    def _last_owner(self, kind: LayerKind) -> int:
        """Index of the last layer of a kind that owns keys and values; −1 in a drafter: the target's."""
        if self.first_shared_layer == 0:
            return -1
        owners = [i for i in range(self.first_shared_layer) if self.layer_kinds[i] is kind]
        if not owners:
            raise ConfigError(
                f"num_kv_shared_layers={self.num_kv_shared_layers} leaves no {kind.value} layer that owns "
                f"keys and values among the first {self.first_shared_layer}; check layer_types"
            )
        return owners[-1]
