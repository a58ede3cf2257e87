"""Blocks of bytes into floats, in pieces small enough to stay in the processor's cache."""

import numpy as np
import torch
from torch import Tensor

from .blocks32 import Bytes
from .formats import TensorFormat

# Weights decoded at a time: with its intermediates about a megabyte, which a core's cache holds.
_WEIGHTS_PER_PIECE = 1 << 16


def dequantize(raw: Bytes, format: TensorFormat, dtype: torch.dtype = torch.float32) -> Tensor:
    """Decode rows of blocks: raw uint8 [R, bytes_per_row] → [R, columns] of `dtype`.

    float32 is equal to the bit to `gguf.quants.dequantize`; other types are rounded from it. Memory
    beyond the result stays below 2 MB.
    """
    assert format.decode is not None, f"{format.name} has no blocks"
    blocks = raw.reshape(-1, format.bytes_per_block)  # a view: rows are whole blocks
    result = torch.empty(len(blocks), format.block_size, dtype=dtype)
    step = max(1, _WEIGHTS_PER_PIECE // format.block_size)
    buffer = np.empty((step, format.block_size), dtype=np.float32)
    # A damaged scale (inf · 0) gives NaN in its block, as in llama.cpp; it is not a reason to warn.
    with np.errstate(invalid="ignore"):
        for start in range(0, len(blocks), step):
            piece = blocks[start : start + step]
            decoded = buffer[: len(piece)]
            format.decode(piece, decoded)
            result[start : start + len(piece)] = torch.from_numpy(decoded)
    columns = raw.shape[1] // format.bytes_per_block * format.block_size
    return result.view(len(raw), columns)
