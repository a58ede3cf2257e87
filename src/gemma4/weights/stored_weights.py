"""What a checkpoint at hand stores, as `fit` counts it."""

from math import prod

from ..config import ModelConfig
from ..fit.weights import StoredWeights
from ..model.native.towers import kept_media
from ..tensors.table import tensor_table
from .checkpoint import Checkpoint
from .in_place import copied_bytes
from .tiled import tiled_sizes


def stored_weights(checkpoint: Checkpoint) -> list[StoredWeights]:
    """Every tensor with its encoding and sizes, from the headers alone."""
    config = checkpoint.config
    keep_media = kept_media(config) if isinstance(config, ModelConfig) else ()
    entries = {entry.name: entry for entry in tensor_table(config)}
    stored = checkpoint.source.tensors
    tiled = tiled_sizes([entry for name, entry in entries.items() if name in stored], stored)
    return [
        StoredWeights(
            name=name,
            encoding=tensor.encoding,
            num_elements=prod(tensor.shape),
            nbytes=tensor.nbytes,
            packed_copy_bytes=(
                copied_bytes(tensor, entries[name], keep_media=keep_media)
                if name in entries
                else None
            ),
            tiled_bytes=tiled.get(name),
        )
        for name, tensor in stored.items()
    ]
