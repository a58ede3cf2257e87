"""The configurations of the published models, written out once.

They serve wherever a model is spoken of before its files are there: memory arithmetic, the catalog,
instantiation on the meta device, tests. A checkpoint's own config.json always has the last word.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from .layers import LayerKind, RopeConfig
from .model import DrafterConfig, ModelConfig
from .text import MoeConfig, TextConfig
from .towers import AudioConfig, UnifiedAudioConfig, UnifiedVisionConfig, VisionConfig

VOCAB_SIZE = 262_144
"""Tokens of every Gemma 4 and of Gemma 3 text."""

ROPE_SLIDING = RopeConfig(theta=1e4)
"""Rotation in sliding layers, of Gemma 3 too."""

ROPE_FULL = RopeConfig(theta=1e6, rotary_fraction=0.25)
"""Rotation in Gemma 4's full layers: a quarter of the pairs."""

ROPE_FULL_GEMMA3 = RopeConfig(theta=1e6)
"""Rotation in Gemma 3's full layers: all pairs."""


def repeat_pattern(num_sliding: int, times: int) -> tuple[LayerKind, ...]:
    """Layer kinds of a decoder whose blocks are `num_sliding` sliding layers and a full one."""
    return ((LayerKind.SLIDING,) * num_sliding + (LayerKind.FULL,)) * times


SMALL_VISION = VisionConfig(
    hidden_size=768,
    intermediate_size=3072,
    num_layers=16,
    num_heads=12,
    num_kv_heads=12,
    head_dim=64,
    clips_linears=True,
)
"""The vision tower of E2B and E4B."""

LARGE_VISION = VisionConfig(
    hidden_size=1152,
    intermediate_size=4304,
    num_layers=27,
    num_heads=16,
    num_kv_heads=16,
    head_dim=72,
    standardizes=True,
)
"""The vision tower of 26B-A4B and 31B."""

SMALL_AUDIO = AudioConfig(hidden_size=1024, num_layers=12, num_heads=8, output_size=1536)
"""The audio tower of E2B and E4B."""

E2B = ModelConfig(
    family="gemma4",
    text=TextConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=1536,
        intermediate_size=6144,
        layer_kinds=repeat_pattern(4, 7),
        num_heads=8,
        num_kv_heads=1,
        num_full_kv_heads=1,
        head_dim=256,
        full_head_dim=512,
        sliding_window=512,
        max_positions=131_072,
        rope_sliding=ROPE_SLIDING,
        rope_full=ROPE_FULL,
        num_kv_shared_layers=20,
        double_wide_mlp=True,
        per_layer_dim=256,
        per_layer_vocab_size=VOCAB_SIZE,
        logit_softcap=30.0,
    ),
    vision=SMALL_VISION,
    audio=SMALL_AUDIO,
    stored_dtype="bfloat16",
)
"""Gemma 4 E2B: 35 layers, per-layer embeddings, the last 20 layers borrow keys and values."""

E4B = replace(
    E2B,
    text=replace(
        E2B.text,
        hidden_size=2560,
        intermediate_size=10_240,
        layer_kinds=repeat_pattern(5, 7),
        num_kv_heads=2,
        num_full_kv_heads=2,
        num_kv_shared_layers=18,
        double_wide_mlp=False,
    ),
)
"""Gemma 4 E4B: 42 layers, per-layer embeddings, the last 18 layers borrow keys and values."""


def _large_text(
    *,
    hidden_size: int,
    intermediate_size: int,
    num_blocks: int,
    num_heads: int,
    kv_heads: tuple[int, int],
    moe: MoeConfig | None = None,
) -> TextConfig:
    """Decoder of 12B, 26B-A4B or 31B. `kv_heads`: of sliding and of full layers."""
    return TextConfig(
        vocab_size=VOCAB_SIZE,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        layer_kinds=repeat_pattern(5, num_blocks),
        num_heads=num_heads,
        num_kv_heads=kv_heads[0],
        num_full_kv_heads=kv_heads[1],
        head_dim=256,
        full_head_dim=512,
        sliding_window=1024,
        max_positions=262_144,
        rope_sliding=ROPE_SLIDING,
        rope_full=ROPE_FULL,
        keys_are_values=True,
        moe=moe,
        bidirectional_media=True,
        logit_softcap=30.0,
    )


B12 = ModelConfig(
    family="gemma4_unified",
    text=_large_text(
        hidden_size=3840, intermediate_size=15_360, num_blocks=8, num_heads=16, kv_heads=(8, 1)
    ),
    vision=UnifiedVisionConfig(hidden_size=3840, position_embedding_size=1120, output_size=3840),
    audio=UnifiedAudioConfig(samples_per_token=640),
    stored_dtype="bfloat16",
)
"""Gemma 4 12B: 48 layers, no towers: patches and samples are embedded directly."""

B26_A4B = ModelConfig(
    family="gemma4",
    text=_large_text(
        hidden_size=2816,
        intermediate_size=2112,
        num_blocks=5,
        num_heads=16,
        kv_heads=(8, 2),
        moe=MoeConfig(num_experts=128, top_k=8, intermediate_size=704),
    ),
    vision=LARGE_VISION,
    stored_dtype="bfloat16",
)
"""Gemma 4 26B-A4B: 30 layers, 128 experts of which a token passes 8."""

B31 = ModelConfig(
    family="gemma4",
    text=_large_text(
        hidden_size=5376, intermediate_size=21_504, num_blocks=10, num_heads=32, kv_heads=(16, 4)
    ),
    vision=LARGE_VISION,
    stored_dtype="bfloat16",
)
"""Gemma 4 31B: 60 layers, dense."""


def _gemma3(*, hidden_size: int, intermediate_size: int, num_layers: int) -> ModelConfig:
    """Gemma 3 text with four query heads and one key-value head."""
    return ModelConfig(
        family="gemma3",
        text=TextConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=hidden_size,
            intermediate_size=intermediate_size,
            layer_kinds=repeat_pattern(5, num_layers // 6 + 1)[:num_layers],
            num_heads=4,
            num_kv_heads=1,
            num_full_kv_heads=1,
            head_dim=256,
            full_head_dim=256,
            sliding_window=512,
            max_positions=32_768,
            rope_sliding=ROPE_SLIDING,
            rope_full=ROPE_FULL_GEMMA3,
            attention_scale=256**-0.5,
            normalizes_values=False,
            has_layer_scalar=False,
            norm_weight_offset=1.0,
        ),
        stored_dtype="bfloat16",
    )


GEMMA3_270M = _gemma3(hidden_size=640, intermediate_size=2048, num_layers=18)
"""Gemma 3 270M: 18 layers."""

GEMMA3_1B = _gemma3(hidden_size=1152, intermediate_size=6912, num_layers=26)
"""Gemma 3 1B: 26 layers; the pattern is cut off, so the last two slide."""


def _drafter(
    target: ModelConfig, *, hidden_size: int, intermediate_size: int, num_heads: int, ordered: bool
) -> DrafterConfig:
    """Drafter of a target: three sliding layers and a full one that all read the target's keys."""
    backbone = target.text
    return DrafterConfig(
        family=f"{target.family}_assistant",
        text=TextConfig(
            vocab_size=VOCAB_SIZE,
            hidden_size=hidden_size,
            intermediate_size=intermediate_size,
            layer_kinds=repeat_pattern(3, 1),
            num_heads=num_heads,
            num_kv_heads=backbone.num_kv_heads,
            num_full_kv_heads=backbone.num_full_kv_heads,
            head_dim=backbone.head_dim,
            full_head_dim=backbone.full_head_dim,
            sliding_window=backbone.sliding_window,
            max_positions=backbone.max_positions,
            rope_sliding=backbone.rope_sliding,
            rope_full=backbone.rope_full,
            keys_are_values=backbone.keys_are_values,
            num_kv_shared_layers=4,
        ),
        backbone_hidden_size=backbone.hidden_size,
        num_centroids=2048 if ordered else 0,
        top_centroids=32 if ordered else 0,
        stored_dtype="bfloat16",
    )


_SMALL_DRAFTER = {"hidden_size": 256, "intermediate_size": 2048, "num_heads": 4}
_LARGE_DRAFTER = {"hidden_size": 1024, "intermediate_size": 8192}

PUBLISHED_MODELS: Mapping[str, ModelConfig] = MappingProxyType(
    {
        "e2b": E2B,
        "e4b": E4B,
        "12b": B12,
        "26b-a4b": B26_A4B,
        "31b": B31,
        "gemma3:270m": GEMMA3_270M,
        "gemma3:1b": GEMMA3_1B,
    }
)
"""Model configurations by short name."""

PUBLISHED_DRAFTERS: Mapping[str, DrafterConfig] = MappingProxyType(
    {
        "e2b": _drafter(E2B, **_SMALL_DRAFTER, ordered=True),
        "e4b": _drafter(E4B, **_SMALL_DRAFTER, ordered=True),
        "12b": _drafter(B12, **_LARGE_DRAFTER, num_heads=16, ordered=False),
        "26b-a4b": _drafter(B26_A4B, **_LARGE_DRAFTER, num_heads=16, ordered=False),
        "31b": _drafter(B31, **_LARGE_DRAFTER, num_heads=32, ordered=False),
    }
)
"""Drafter configurations by the short name of their target."""
