"""Floats into the bytes of a tensor format, in pieces small enough to stay in the processor's cache."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from ..errors import CheckpointError
from . import encode32, encode256
from .blocks32 import Bytes, Floats
from .encode_search import HALF_MAX
from .formats import TensorFormat

LARGEST = float(HALF_MAX)
"""Largest magnitude that formats with half-precision scales take."""

Encoder = Callable[[Floats], Bytes]

ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "Q4_0": encode32.encode_q4_0,
        "Q4_1": encode32.encode_q4_1,
        "Q5_0": encode32.encode_q5_0,
        "Q5_1": encode32.encode_q5_1,
        "Q8_0": encode32.encode_q8_0,
        "Q4_K": encode256.encode_q4_k,
        "Q5_K": encode256.encode_q5_k,
        "Q6_K": encode256.encode_q6_k,
    }
)
"""Block format → float32 [n, block_size] to blocks uint8 [n, bytes_per_block]."""

# Weights encoded at a time: with the intermediates about two megabytes.
_WEIGHTS_PER_PIECE = 1 << 16


def encode(
    values: Tensor,
    format: TensorFormat,
    *,
    name: str,
    threads: int = 1,
    infinite: bool = False,
) -> Bytes:
    """Encode rows [R, C] of any float type → uint8 [R, bytes_per_row].

    Args:
        format: a plain one of 16 or 32 bits, or one of `ENCODERS`; C is a multiple of its block.
        name: of the tensor, for messages.
        threads: pieces encoded at the same time.
        infinite: infinite values are in order, as for a bound that bounds nothing; a plain format.

    Raises:
        CheckpointError: a value is NaN or infinite, or too large for the format.
    """
    exact = values.float()
    checked = exact[~exact.isinf()] if infinite else exact
    check_values(checked, name, LARGEST if format.dtype in (None, torch.float16) else None)
    if format.dtype is not None:
        plain = exact.to(format.dtype)
        if not torch.equal(plain.isfinite(), exact.isfinite()):
            raise _too_large(exact, name, format.name)
        return plain.contiguous().view(torch.uint8).numpy().reshape(len(values), -1)
    blocks = exact.contiguous().numpy().reshape(-1, format.block_size)
    encoder = ENCODERS[format.name]
    result = np.empty((len(blocks), format.bytes_per_block), dtype=np.uint8)
    step = _WEIGHTS_PER_PIECE // format.block_size

    def fill(start: int) -> None:
        result[start : start + step] = encoder(blocks[start : start + step])

    if threads == 1:
        for start in range(0, len(blocks), step):
            fill(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, range(0, len(blocks), step)))
    return result.reshape(len(values), -1)


def check_values(values: Tensor, name: str, largest: float | None) -> None:
    """Refuse what no format holds.

    Raises:
        CheckpointError: a value is NaN or infinite, or its magnitude above `largest`.
    """
    if not bool(values.isfinite().all()):
        wrong = values[~values.isfinite()]
        raise CheckpointError(
            f"tensor {name} holds {wrong.numel()} values that are no numbers ({float(wrong[0])}); "
            "the checkpoint is damaged, fetch it again"
        )
    if largest is not None and values.numel() and float(values.abs().max()) > largest:
        raise _too_large(values, name, "half precision")


def _too_large(values: Tensor, name: str, kind: str) -> CheckpointError:
    peak = float(values.abs().max())
    return CheckpointError(
        f"tensor {name} holds a value of magnitude {peak:g}, which {kind} cannot hold (largest "
        f"{LARGEST:g}); write it as f32, or check the checkpoint"
    )
