"""What a process takes beside its mapped weights where the native kernels compute.

Matrices stay in the file, in the blocks they are stored in; private memory holds pages of keys and values,
the programs' buffers, and what the kernels cannot read as it lies, expanded to float32.

Letters: T tokens of a pass, D model width, N query heads, K kv heads, H head dim, F ffn, P per-layer dim,
E experts, V vocab.
"""

from collections.abc import Iterable
from typing import Final

from ..config import LayerSpec, TextConfig
from .activations import PREFILL_CHUNK
from .counts import Role

KEPT_FORMATS: Final = frozenset(
    {"F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q4_K", "Q5_K", "Q6_K"}
)
"""Formats that the kernels multiply, and look rows up in, as they are."""

COMPUTING: Final = "float32"
"""Dtype of activations, and of what is expanded."""

TAIL_ROWS: Final = 16
"""Rows that the buffers of sharing layers and head have room for at first."""

_PACKED_MATRICES: Final = frozenset(
    {Role.EMBEDDING, Role.LINEAR, Role.EXPERTS, Role.ROUTER, Role.VISION, Role.AUDIO}
)
_MIXTURES: Final = frozenset({"Q4_K_M"})
_FLOAT: Final = 4
_ACTIVATION_BLOCK: Final = 48
"""Bytes of 32 activations in 8 bits, with their scale and sums."""


def copied_when_packed(role: Role, encoding: str, nbytes: int) -> int | None:
    """Bytes that the kernels take anew for a published tensor, 0 where it lies; None: they expand it.

    Experts in W4A16 are stored one by one and put together in memory.
    """
    if role not in _PACKED_MATRICES:
        return None
    if encoding == "W4A16":
        return {Role.EXPERTS: nbytes, Role.EMBEDDING: None}.get(role, 0)
    return 0 if encoding in KEPT_FORMATS or encoding in _MIXTURES else None


def native_kv_dtype(text: TextConfig) -> str:
    """Of keys and values, unless told otherwise: half precision where its range is enough.

    Keys, and Gemma 4's values, are normed over a head: no number exceeds √H times a norm's weight. Gemma 3's
    values are not; bfloat16 takes as little room and overflows no earlier than float32.
    """
    return "float16" if text.normalizes_values else "bfloat16"


def native_working_bytes(text: TextConfig, *, context: int, users: int) -> int:
    """Buffers of the programs, and the logits of each request with what choosing from them takes."""
    rows = min(PREFILL_CHUNK + users, context * users)
    specs = text.plan_layers()
    body = [spec for spec in specs if spec.owns_kv]
    tail = [spec for spec in specs if not spec.owns_kv]
    tail_rows = max(TAIL_ROWS, users)
    return (
        rows * row_bytes(text, body)
        + tail_rows * (row_bytes(text, tail) + _FLOAT * text.hidden_size)
        + users * 3 * _FLOAT * text.vocab_size
    )


def row_bytes(text: TextConfig, specs: Iterable[LayerSpec]) -> int:
    """Bytes of a token in the buffers of a program of these layers."""
    layers = list(specs)
    widths = {text.hidden_size}
    widths |= {spec.num_heads * spec.head_dim for spec in layers}
    widths |= {spec.intermediate_size for spec in layers}
    packed = _packed_bytes(*widths)
    if layers and text.moe is not None:
        slots = text.moe.top_k * _packed_bytes(text.hidden_size)
        packed += slots + _packed_bytes(text.moe.top_k * text.moe.intermediate_size)
    return _FLOAT * row_numbers(text, layers) + packed


def row_numbers(text: TextConfig, specs: Iterable[LayerSpec]) -> int:
    """float32 numbers of a token in the same buffers; each name and width has its own."""
    layers, width = list(specs), text.hidden_size
    if not layers:
        return width
    heads = {spec.num_heads * spec.head_dim for spec in layers}
    keys = {spec.num_kv_heads * spec.head_dim for spec in layers}
    inner = {spec.intermediate_size for spec in layers}
    angles = {spec.kind: spec.head_dim for spec in layers}
    # x, a branch's result; query, attended; key, value; gate, up; cosines and sines of half a head
    numbers = 2 * width + 2 * sum(heads) + 2 * sum(keys) + 2 * sum(inner) + sum(angles.values())
    if text.per_layer_dim:
        numbers += (len(layers) + 1) * text.per_layer_dim
    if text.moe is not None:
        experts = text.moe.top_k * text.moe.intermediate_size
        # normed rows, both branches' sums, the router; of each chosen expert gate, up and its result
        numbers += 3 * width + text.moe.num_experts + 2 * experts + text.moe.top_k * width
    return numbers


def _packed_bytes(*widths: int) -> int:
    """Activations in 8 bits; a wider linear gets a buffer of its own beside the narrower one's."""
    return sum(width // 32 * _ACTIVATION_BLOCK for width in widths)
