"""Peak of the intermediate values of one pass, from the shapes that the model makes.

Prefill runs in chunks, one request at a time, and is the peak; decoding needs less for any number of
users that the keys and values leave room for. Only the layers that own keys and values see the whole
chunk. Attention goes in blocks of queries, each with a mask over the keys that it can see.

Letters: T tokens of a chunk, S keys, D model width, N query heads, K kv heads, H head dim, F ffn,
V vocab, L layers, P per-layer dim.
"""

from typing import Final

from ..config import (
    AudioConfig,
    LayerSpec,
    ModelConfig,
    TextConfig,
    UnifiedVisionConfig,
    VisionConfig,
)

PREFILL_CHUNK: Final = 512
"""Tokens of a prompt that go through the model at a time."""

QUERY_BLOCK: Final = 128
"""Queries that attend at a time."""

MAX_AUDIO_FRAMES: Final = 3000
"""Mel frames of the longest sound, 30 seconds."""


def prefill_bytes(
    text: TextConfig, *, context: int, number_bytes: int, chunk: int = PREFILL_CHUNK
) -> int:
    """Peak of the last chunk of a prompt that fills the context.

    Args:
        number_bytes: of a value in the dtype of computation: 4 or 2.
    """
    tokens = min(chunk, context)
    # What the last layer of each kind read from its pages waits for the layers that share it.
    read = {
        spec.kind: 2 * _keys_bytes(spec, tokens, context, number_bytes)
        for spec in text.plan_layers()
        if spec.owns_kv
    }
    layers = [
        max(
            _attention_bytes(spec, tokens, context, number_bytes),
            _feed_forward_bytes(spec, text, tokens, number_bytes),
        )
        for spec in text.plan_layers()
        if spec.owns_kv
    ]
    stream = 4 * tokens * text.hidden_size * number_bytes  # the stream, its norm, a branch, a sum
    table = tokens * text.num_layers * text.per_layer_dim * number_bytes
    # Per-layer inputs stay for the whole pass; making them takes three more of their size.
    return max(
        stream + table + sum(read.values()) + max(layers, default=0),
        stream + 4 * table,
        _logit_bytes(text, number_bytes) + stream,
    )


def _keys_bytes(spec: LayerSpec, tokens: int, context: int, number_bytes: int) -> int:
    """Keys, or values, that the last chunk of a context sees."""
    return _num_keys(spec, tokens, context) * spec.num_kv_heads * spec.head_dim * number_bytes


def _num_keys(spec: LayerSpec, tokens: int, context: int) -> int:
    return context if spec.window is None else min(context, spec.window + 1 + tokens)


def _attention_bytes(spec: LayerSpec, tokens: int, context: int, number_bytes: int) -> int:
    keys = _num_keys(spec, tokens, context)
    queries = min(QUERY_BLOCK, tokens)
    # Distances are int64 and give two masks of booleans; the mask that remains is made additive.
    distances = queries * keys * (8 + 1 + 1)
    mask = queries * keys * (1 + number_bytes)
    query = tokens * spec.num_heads * spec.head_dim * number_bytes
    key = tokens * spec.num_kv_heads * spec.head_dim * number_bytes
    # Lanes of pages are put in order one tensor after the other.
    lanes = _keys_bytes(spec, tokens, context, number_bytes)
    return 3 * query + 4 * key + max(lanes, query + max(distances, mask))


def _feed_forward_bytes(spec: LayerSpec, text: TextConfig, tokens: int, number_bytes: int) -> int:
    dense = 3 * spec.intermediate_size  # gate after gelu, up, their product
    sparse = 0
    if text.moe is not None:
        # At worst every token of the chunk goes to one expert; the dense part's result waits.
        sparse = 4 * text.moe.intermediate_size + 4 * text.hidden_size
    return tokens * max(dense, sparse) * number_bytes


def _logit_bytes(text: TextConfig, number_bytes: int) -> int:
    """One row of logits: in the dtype of computation, then float32 three times for the cap."""
    return text.vocab_size * (number_bytes + 3 * 4)


def media_activation_bytes(
    config: ModelConfig, *, number_bytes: int, soft_tokens: int | None = None
) -> int:
    """Peak of the towers for one image of `soft_tokens` (default: the model's) and one long sound."""
    vision, audio = config.vision, config.audio
    peak = 0
    if vision is not None:
        budget = soft_tokens or vision.default_soft_tokens
        peak = _vision_bytes(vision, budget, number_bytes)
    if isinstance(audio, AudioConfig):
        peak = max(peak, _audio_bytes(audio, number_bytes))
    return peak


def _vision_bytes(
    vision: VisionConfig | UnifiedVisionConfig, soft_tokens: int, number_bytes: int
) -> int:
    pixels = 3 * vision.patch_size**2
    patches = soft_tokens * vision.pooling_kernel_size**2
    images = 2 * patches * pixels * 4  # float32 pixels, as they come and centred
    if isinstance(vision, UnifiedVisionConfig):
        return images + 4 * soft_tokens * vision.hidden_size * number_bytes
    heads = vision.num_heads * vision.head_dim
    layer = max(3 * vision.intermediate_size, 6 * heads) + 3 * vision.hidden_size
    return images + patches * layer * number_bytes


def _audio_bytes(audio: AudioConfig, number_bytes: int) -> int:
    frames, bands = MAX_AUDIO_FRAMES // 2, audio.num_mels // 2
    convolution = 3 * audio.subsampling_channels[0] * frames * bands
    layer = (MAX_AUDIO_FRAMES // 4) * 12 * audio.hidden_size
    return max(convolution, layer) * number_bytes
