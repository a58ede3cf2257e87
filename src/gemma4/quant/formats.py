"""The table of tensor formats: how values lie in a file, and how blocks turn into numbers.

Ids and sizes are those of ggml (`ggml_type`, `type_traits`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from . import blocks32, blocks256
from .blocks32 import Bytes, Floats

Decoder = Callable[[Bytes, Floats], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorFormat:
    """One way to store values.

    Attributes:
        name: as files and messages spell it.
        ggml_id: the number in a GGUF file; None where GGUF has no such type.
        block_size: weights in a block; rows are whole blocks. 1 for plain numbers.
        bytes_per_block: bytes of a block.
        dtype: the torch type of a plain number, None for blocks.
        decode: blocks uint8 [n, bytes_per_block] → out float32 [n, block_size]; None: plain.
    """

    name: str
    ggml_id: int | None
    block_size: int
    bytes_per_block: int
    dtype: torch.dtype | None = None
    decode: Decoder | None = None

    def row_bytes(self, columns: int) -> int:
        """Bytes of a row of `columns` weights; `columns` is a multiple of the block size."""
        return columns // self.block_size * self.bytes_per_block


def _plain(name: str, ggml_id: int | None, dtype: torch.dtype) -> TensorFormat:
    return TensorFormat(
        name=name, ggml_id=ggml_id, block_size=1, bytes_per_block=dtype.itemsize, dtype=dtype
    )


def _blocks(
    name: str, ggml_id: int, block_size: int, bytes_per_block: int, decode: Decoder
) -> TensorFormat:
    return TensorFormat(
        name=name,
        ggml_id=ggml_id,
        block_size=block_size,
        bytes_per_block=bytes_per_block,
        decode=decode,
    )


FORMATS = {
    format.name: format
    for format in (
        _plain("F32", 0, torch.float32),
        _plain("F16", 1, torch.float16),
        _plain("BF16", 30, torch.bfloat16),
        _plain("F64", 28, torch.float64),
        _plain("I8", 24, torch.int8),
        _plain("I16", 25, torch.int16),
        _plain("I32", 26, torch.int32),
        _plain("I64", 27, torch.int64),
        _plain("U8", None, torch.uint8),
        _plain("BOOL", None, torch.bool),
        _blocks("Q4_0", 2, 32, 18, blocks32.decode_q4_0),
        _blocks("Q4_1", 3, 32, 20, blocks32.decode_q4_1),
        _blocks("Q5_0", 6, 32, 22, blocks32.decode_q5_0),
        _blocks("Q5_1", 7, 32, 24, blocks32.decode_q5_1),
        _blocks("Q8_0", 8, 32, 34, blocks32.decode_q8_0),
        _blocks("IQ4_NL", 20, 32, 18, blocks32.decode_iq4_nl),
        _blocks("Q2_K", 10, 256, 84, blocks256.decode_q2_k),
        _blocks("Q3_K", 11, 256, 110, blocks256.decode_q3_k),
        _blocks("Q4_K", 12, 256, 144, blocks256.decode_q4_k),
        _blocks("Q5_K", 13, 256, 176, blocks256.decode_q5_k),
        _blocks("Q6_K", 14, 256, 210, blocks256.decode_q6_k),
    )
}

# Types of ggml that are not read, so that a message can name them.
UNSUPPORTED_GGML_NAMES = {
    9: "Q8_1",
    15: "Q8_K",
    16: "IQ2_XXS",
    17: "IQ2_XS",
    18: "IQ3_XXS",
    19: "IQ1_S",
    21: "IQ3_S",
    22: "IQ2_S",
    23: "IQ4_XS",
    29: "IQ1_M",
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
    40: "NVFP4",
    41: "Q1_0",
}
