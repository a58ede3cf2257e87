"""What a checkpoint at hand stores, as `fit` counts it."""

from math import prod
from typing import TYPE_CHECKING

from ..fit.weights import StoredWeights

if TYPE_CHECKING:
    from ..weights.checkpoint import Checkpoint


def stored_weights(checkpoint: "Checkpoint") -> list[StoredWeights]:
    """Every tensor with its encoding and sizes, from the headers alone."""
    return [
        StoredWeights(
            name=name,
            encoding=tensor.encoding,
            num_elements=prod(tensor.shape),
            nbytes=tensor.nbytes,
        )
        for name, tensor in checkpoint.source.tensors.items()
    ]
