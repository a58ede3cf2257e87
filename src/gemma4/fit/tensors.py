"""Every tensor of a model by shape and count, from its configuration alone; names do not matter here.

Letters: V vocab, D model width, N query heads, K kv heads, H head dim, F ffn, E experts, L layers,
P per-layer dim.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import prod

from ..config import (
    AudioConfig,
    DrafterConfig,
    LayerSpec,
    ModelConfig,
    TextConfig,
    UnifiedAudioConfig,
    UnifiedVisionConfig,
    VisionConfig,
)


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
class TensorGroup:
    """`count` tensors of one shape."""

    role: Role
    shape: tuple[int, ...]
    count: int = 1

    @property
    def num_elements(self) -> int:
        """Values in all of them."""
        return prod(self.shape) * self.count


def tensor_groups(config: ModelConfig | DrafterConfig) -> tuple[TensorGroup, ...]:
    """List the tensors; the head is the embedding and counts once."""
    if isinstance(config, DrafterConfig):
        return (*_text_groups(config.text), *_drafter_groups(config))
    return (
        *_text_groups(config.text),
        *_vision_groups(config.vision, config.text.hidden_size),
        *_audio_groups(config.audio, config.text.hidden_size),
    )


def count_parameters(groups: Iterable[TensorGroup]) -> int:
    """Values in all tensors."""
    return sum(group.num_elements for group in groups)


def count_resident_values(config: ModelConfig, *, media: bool = True) -> int:
    """Values of all tensors but the per-layer table, which stays on disk, and at wish the towers."""
    left_out = {Role.PER_LAYER_TABLE} if media else {Role.PER_LAYER_TABLE, *MEDIA_ROLES}
    return count_parameters(group for group in tensor_groups(config) if group.role not in left_out)


def count_active_parameters(config: ModelConfig) -> int:
    """Values of the text decoder that one token passes: of the experts, those it is sent to."""
    total = 0
    for group in _text_groups(config.text):
        if group.role is Role.PER_LAYER_TABLE:
            continue
        if group.role is Role.EXPERTS and config.text.moe is not None:
            total += group.num_elements * config.text.moe.top_k // config.text.moe.num_experts
        else:
            total += group.num_elements
    return total


def _text_groups(text: TextConfig) -> Iterator[TensorGroup]:
    width, inner = text.hidden_size, text.per_layer_dim
    yield TensorGroup(Role.EMBEDDING, (text.vocab_size, width))
    yield TensorGroup(Role.VECTOR, (width,))
    if inner:
        packed = text.num_layers * inner
        yield TensorGroup(Role.PER_LAYER_TABLE, (text.per_layer_vocab_size, packed))
        yield TensorGroup(Role.LINEAR, (packed, width))
        yield TensorGroup(Role.VECTOR, (inner,))
        yield TensorGroup(Role.LINEAR, (inner, width), text.num_layers)
        yield TensorGroup(Role.LINEAR, (width, inner), text.num_layers)
        yield TensorGroup(Role.VECTOR, (width,), text.num_layers)
    for spec in text.plan_layers():
        yield from _layer_groups(text, spec)


def _layer_groups(text: TextConfig, spec: LayerSpec) -> Iterator[TensorGroup]:
    width = text.hidden_size
    query, key = spec.num_heads * spec.head_dim, spec.num_kv_heads * spec.head_dim
    yield TensorGroup(Role.LINEAR, (query, width))
    yield TensorGroup(Role.LINEAR, (width, query))
    yield TensorGroup(Role.VECTOR, (spec.head_dim,), 2 if spec.owns_kv else 1)
    if spec.owns_kv:
        yield TensorGroup(Role.LINEAR, (key, width), 1 if spec.keys_are_values else 2)
    yield TensorGroup(Role.LINEAR, (spec.intermediate_size, width), 2)
    yield TensorGroup(Role.LINEAR, (width, spec.intermediate_size))
    yield TensorGroup(Role.VECTOR, (width,), 4)
    if text.has_layer_scalar:
        yield TensorGroup(Role.VECTOR, (1,))
    if text.moe is not None:
        experts, expert_width = text.moe.num_experts, text.moe.intermediate_size
        yield TensorGroup(Role.ROUTER, (experts, width))
        yield TensorGroup(Role.VECTOR, (width,), 4)  # router.scale and three more norms
        yield TensorGroup(Role.VECTOR, (experts,))
        yield TensorGroup(Role.EXPERTS, (experts, 2 * expert_width, width))
        yield TensorGroup(Role.EXPERTS, (experts, width, expert_width))


def _drafter_groups(drafter: DrafterConfig) -> Iterator[TensorGroup]:
    width, backbone = drafter.text.hidden_size, drafter.backbone_hidden_size
    yield TensorGroup(Role.LINEAR, (width, 2 * backbone))
    yield TensorGroup(Role.LINEAR, (backbone, width))
    if drafter.num_centroids:
        yield TensorGroup(Role.LINEAR, (drafter.num_centroids, width))
        yield TensorGroup(Role.INDEX, (drafter.text.vocab_size,))


def _clipped(
    role: Role, shape: tuple[int, int], count: int, *, clips: bool
) -> Iterator[TensorGroup]:
    """Linear layers, each with four scalar bounds if it clips."""
    yield TensorGroup(role, shape, count)
    if clips:
        yield TensorGroup(role, (), 4 * count)


def _vision_groups(
    vision: VisionConfig | UnifiedVisionConfig | None, text_width: int
) -> Iterator[TensorGroup]:
    role = Role.VISION
    if vision is None:
        return
    width = vision.hidden_size
    if isinstance(vision, UnifiedVisionConfig):
        patch = 3 * vision.merged_patch_size**2
        yield TensorGroup(role, (patch,), 2)
        yield TensorGroup(role, (width, patch))
        yield TensorGroup(role, (width,), 5)  # the bias, and two norms with weight and bias
        yield TensorGroup(role, (vision.position_embedding_size, 2, width))
        yield TensorGroup(role, (text_width, vision.output_size))
        return
    layers, inner = vision.num_layers, vision.intermediate_size
    query, key = vision.num_heads * vision.head_dim, vision.num_kv_heads * vision.head_dim
    yield TensorGroup(role, (width, 3 * vision.patch_size**2))
    yield TensorGroup(role, (2, vision.position_embedding_size, width))
    for shape, count in (
        ((query, width), layers),
        ((key, width), 2 * layers),
        ((width, query), layers),
        ((inner, width), 2 * layers),
        ((width, inner), layers),
    ):
        yield from _clipped(role, shape, count, clips=vision.clips_linears)
    yield TensorGroup(role, (vision.head_dim,), 2 * layers)
    yield TensorGroup(role, (width,), 4 * layers + (2 if vision.standardizes else 0))
    yield TensorGroup(role, (text_width, width))


def _audio_groups(
    audio: AudioConfig | UnifiedAudioConfig | None, text_width: int
) -> Iterator[TensorGroup]:
    role = Role.AUDIO
    if audio is None:
        return
    if isinstance(audio, UnifiedAudioConfig):
        yield TensorGroup(role, (text_width, audio.samples_per_token))
        return
    width, layers = audio.hidden_size, audio.num_layers
    first, second = audio.subsampling_channels
    yield TensorGroup(role, (first, 1, 3, 3))
    yield TensorGroup(role, (second, first, 3, 3))
    yield TensorGroup(role, (first,))
    yield TensorGroup(role, (second,))
    yield TensorGroup(role, (width, audio.num_mels // 4 * second))
    for shape, count in (
        ((4 * width, width), 2 * layers),
        ((width, 4 * width), 2 * layers),
        ((width, width), 5 * layers),  # q, k, v, post, and the light convolution's end
        ((2 * width, width), layers),
    ):
        yield from _clipped(role, shape, count, clips=audio.clips_linears)
    yield TensorGroup(role, (width, width), layers)  # relative_k_proj never clips
    yield TensorGroup(role, (width, 1, audio.conv_kernel_size), layers)
    yield TensorGroup(role, (width // audio.num_heads,), layers)
    yield TensorGroup(role, (width,), 9 * layers)  # norms
    yield TensorGroup(role, (audio.output_size, width))
    yield TensorGroup(role, (audio.output_size,))
    yield TensorGroup(role, (text_width, audio.output_size))
