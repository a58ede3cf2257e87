"""GGUF tensor names to module paths and back, for text files, projectors (mmproj) and drafters."""

import re
from collections.abc import Iterator, Mapping

from torch import Tensor

from ...config import DrafterConfig, ModelConfig, TextConfig
from ...errors import CheckpointError
from ...tensors.entry import TensorEntry
from ...tensors.table import dead_tensor_names, tensor_table
from ..derived import JoinedTensor, NamedSource
from ..source import StoredTensor, TensorSource
from .mmproj import from_gguf, to_gguf

ROPE_FREQS = "rope_freqs.weight"
"""Factors on the rotation of full layers; llama.cpp's way to say which pairs stand still."""

STANDS_STILL = 1e29
"""A pair whose frequency is divided by this or more does not turn."""

_SPLIT_EXPERTS = re.compile(r"(blk\.\d+\.ffn_)(gate|up)(_exps\.weight)")


def model_source(source: TensorSource, config: ModelConfig | DrafterConfig) -> NamedSource:
    """Show a GGUF file's tensors under module paths, in the model's layouts.

    Names that are not known stay as they are; the strict loader reports them.

    Raises:
        CheckpointError: `rope_freqs` contradicts the configuration, or a layout cannot be told.
    """
    stored = _join_experts(source.tensors)
    freqs = stored.pop(ROPE_FREQS, None)
    if freqs is not None:
        check_rope_freqs(freqs, config.text)
    entries = {entry.gguf_name: entry for entry in tensor_table(config)}
    dead = {gguf_name: name for name, gguf_name in dead_tensor_names(config)}
    tensors: dict[str, StoredTensor] = {}
    for name, tensor in stored.items():
        if name in entries:
            entry = entries[name]
            tensors[entry.name] = from_gguf(entry, tensor)
        elif name == "output.weight":
            tensors["lm_head.weight"] = tensor
        else:
            tensors[dead.get(name, name)] = tensor
    return NamedSource(path=source.path, tensors=tensors)


def to_gguf_tensors(
    entries: Iterator[TensorEntry] | tuple[TensorEntry, ...], values: Mapping[str, Tensor]
) -> Iterator[tuple[TensorEntry, str, Tensor]]:
    """Give each tensor of a model its GGUF name and layout, in the table's order.

    Args:
        values: the model's tensors by module path.

    Raises:
        CheckpointError: llama.cpp has no name for a tensor.
    """
    for entry in entries:
        if entry.gguf_name is None:
            raise CheckpointError(
                f"tensor {entry.name} has no name in the GGUF format; save as safetensors instead"
            )
        yield entry, entry.gguf_name, to_gguf(entry, values[entry.name])


def rope_freq_factors(text: TextConfig) -> list[float]:
    """Values [H/2] of `rope_freqs` for full layers: 1 where a pair turns, 1e30 where it stands."""
    pairs = text.full_head_dim // 2
    turning = int(text.full_head_dim * text.rope_full.rotary_fraction / 2)
    return [1.0] * turning + [1e30] * (pairs - turning)


def check_rope_freqs(stored: StoredTensor, text: TextConfig) -> None:
    """Compare `rope_freqs` with the configuration, which is what the model uses.

    Raises:
        CheckpointError: they disagree on the number of pairs or on one pair.
    """
    found = stored.read().float().flatten().tolist()
    expected = rope_freq_factors(text)
    if len(found) != len(expected):
        raise CheckpointError(
            f"{ROPE_FREQS} has {len(found)} values, but full layers have {len(expected)} pairs "
            f"(head width {text.full_head_dim}); the file contradicts itself"
        )
    for pair, (value, wanted) in enumerate(zip(found, expected, strict=True)):
        agrees = value >= STANDS_STILL if wanted > 1 else abs(value - wanted) <= 1e-6
        if not agrees:
            raise CheckpointError(
                f"{ROPE_FREQS} has {value:g} for pair {pair}, but the configuration says "
                f"{wanted:g}; this rotary scaling is not one Gemma uses"
            )


def _join_experts(tensors: Mapping[str, StoredTensor]) -> dict[str, StoredTensor]:
    """Join `ffn_gate_exps` and `ffn_up_exps` [E, F, D] into `ffn_gate_up_exps` [E, 2F, D]."""
    joined = dict(tensors)
    for name in tensors:
        match = _SPLIT_EXPERTS.fullmatch(name)
        if match is None or match[2] != "gate":
            continue
        other, whole = f"{match[1]}up{match[3]}", f"{match[1]}gate_up{match[3]}"
        if other not in tensors or whole in tensors:
            continue
        gate, up = joined.pop(name), joined.pop(other)
        experts, width, hidden = gate.shape
        joined[whole] = JoinedTensor(
            name=whole,
            shape=(experts, width + up.shape[1], hidden),
            parts=(
                ((slice(None), slice(0, width)), gate),
                ((slice(None), slice(width, None)), up),
            ),
        )
    return joined
