"""Quantized matrices laid out for a GPU: the same integers and scales, in another order.

A tile is 32 rows. Within it a block of columns is contiguous, so that a program that walks along the
columns of its tile reads memory in one stream:

    4 bits   words   int32 [tiles, C / 128, 32, 16]   bits 16h + 4j of word 4t + 2a + c of a row hold
                                                      column 32j + 16a + 4t + 2c + h of the block
    8 bits   words   int8  [tiles, C / 32, 32, 32]    byte 8t + 4a + e holds column 16a + 4t + e
             scales  [tiles, scale columns, 32, n]    n = 4, 2 or 1 neighbouring groups

This is the order in which the tensor cores want the columns from each thread t of four: a thread's 16
loaded bytes become its operands without passing through another thread.

Letters: R rows, C columns, G columns of a group.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import CheckpointError
from ...fit.tiles import BLOCK_COLUMNS, TILE_ROWS
from ...quant import PackedWeight
from ...quant.w4a16 import unpack_nibbles

_NIBBLE_OFFSET = 8
_WEIGHTS_PER_PIECE = 1 << 22  # packed at a time: bounds the memory beside the result to some 20 MB
_Q_BLOCK = 32  # weights of a block of Q4_0 and Q8_0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PackedMatrix:
    """A matrix of integers with a scale for each group, tiled as above.

    Attributes:
        bits: 4 or 8. rows, columns: R and C; what the tiles hold beyond them has scale 0.
        group: G. For 4 bits 32, 64 or a multiple of 128; for 8 bits 32.
        words, scales: see above; the scales are float16 or bfloat16.
        matrices: R rows each, one after the other (experts); 1 for a plain matrix.
    """

    bits: int
    rows: int
    columns: int
    group: int
    words: Tensor
    scales: Tensor
    matrices: int = 1

    @property
    def num_bytes(self) -> int:
        """Bytes that one product over all matrices reads."""
        return self.words.nbytes + self.scales.nbytes

    def to(self, device: torch.device) -> "PackedMatrix":
        """The same matrix on a device."""
        return replace(self, words=self.words.to(device), scales=self.scales.to(device))

    def dequantize(self) -> Tensor:
        """The values, float32 [matrices · R, C]: what the kernels multiply with."""
        block = BLOCK_COLUMNS[self.bits]
        padded_rows = len(self.words) * TILE_ROWS
        columns = torch.arange(self.words.shape[1] * block, device=self.words.device)
        scales = self.scales.permute(0, 2, 1, 3).reshape(padded_rows, -1).float()
        values = _integers(self).float() * scales[:, columns // self.group]
        return values[: self.matrices * self.rows, : self.columns]


Weight = PackedMatrix | Tensor
"""A matrix as the kernels take it: quantized, or of plain numbers."""


def pack_q4_0(raw: Tensor, *, matrices: int = 1) -> PackedMatrix:
    """Rows of Q4_0 blocks, uint8 [matrices · R, C / 32 · 18]."""
    blocks = raw.reshape(len(raw), -1, 18)
    scales = blocks[..., :2].contiguous().view(torch.float16)[..., 0]
    packed = blocks[..., 2:]
    nibbles = torch.cat((packed & 15, packed >> 4), dim=-1).flatten(1)
    return _pack(nibbles.to(torch.int8) - _NIBBLE_OFFSET, scales, _Q_BLOCK, 4, matrices)


def pack_q8_0(raw: Tensor, *, matrices: int = 1) -> PackedMatrix:
    """Rows of Q8_0 blocks, uint8 [matrices · R, C / 32 · 34]."""
    blocks = raw.reshape(len(raw), -1, 34)
    scales = blocks[..., :2].contiguous().view(torch.float16)[..., 0]
    return _pack(
        blocks[..., 2:].contiguous().view(torch.int8).flatten(1), scales, _Q_BLOCK, 8, matrices
    )


def pack_w4a16(weight: PackedWeight, *, matrices: int = 1) -> PackedMatrix:
    """Symmetric groups of neighbouring columns with 16-bit scales.

    Raises:
        CheckpointError: a kind of group the kernels do not read; such a matrix is loaded expanded.
    """
    obstacle = obstacle_to_packing(weight)
    if obstacle is not None:
        raise CheckpointError(f"4-bit matrix has {obstacle}: load this matrix expanded")
    integers = unpack_nibbles(weight.packed)[:, : weight.columns] - _NIBBLE_OFFSET
    return _pack(integers, weight.scale, _group_of(weight), 4, matrices)


def obstacle_to_packing(weight: PackedWeight) -> str | None:
    """What the kernels do not read of a matrix of groups, and what they do; None if they read it."""
    if weight.zero_point is not None or weight.group_index is not None:
        found = "zero points" if weight.zero_point is not None else "columns in shuffled groups"
        return f"{found}; GPU kernels read symmetric groups of neighbours"
    if weight.scale.dtype not in (torch.float16, torch.bfloat16):
        return f"scales of {weight.scale.dtype}; GPU kernels read float16 and bfloat16"
    return _wrong_group(_group_of(weight), BLOCK_COLUMNS[4])


def stack_rows(parts: list[PackedMatrix]) -> PackedMatrix:
    """One matrix of all rows of plain matrices of one kind, so that one call computes them all."""
    first = parts[0]
    kinds = {(part.bits, part.columns, part.group, part.scales.dtype) for part in parts}
    whole = all(part.rows % TILE_ROWS == 0 and part.matrices == 1 for part in parts)
    if len(kinds) > 1 or not whole:
        raise CheckpointError(
            f"matrices of {len(kinds)} kinds cannot be stacked for a GPU; rows must be"
            f" multiples of {TILE_ROWS} and formats equal: load them expanded"
        )
    return replace(
        first,
        rows=sum(part.rows for part in parts),
        words=torch.cat([part.words for part in parts]),
        scales=torch.cat([part.scales for part in parts]),
    )


def row_slice(matrix: PackedMatrix, first: int, rows: int) -> PackedMatrix:
    """Rows first … first + rows − 1 of all matrices taken as one, a view; both multiples of 32."""
    assert first % TILE_ROWS == 0, f"row {first} begins no tile"
    tiles = slice(first // TILE_ROWS, (first + rows + TILE_ROWS - 1) // TILE_ROWS)
    return replace(
        matrix, rows=rows, words=matrix.words[tiles], scales=matrix.scales[tiles], matrices=1
    )


def _pack(integers: Tensor, scales: Tensor, group: int, bits: int, matrices: int) -> PackedMatrix:
    """Tile integers int8 [matrices · R, C] and scales [matrices · R, C / G]."""
    rows, columns = len(integers) // matrices, integers.shape[1]
    block = BLOCK_COLUMNS[bits]
    if matrices > 1 and rows % TILE_ROWS:
        raise CheckpointError(
            f"experts of {rows} rows; GPU kernels read multiples of {TILE_ROWS}: load them expanded"
        )
    integers = F.pad(integers, (0, -columns % block, 0, -len(integers) % TILE_ROWS))
    tiles = integers.view(-1, TILE_ROWS, integers.shape[1] // block, block).transpose(1, 2)
    words_of = _words4 if bits == 4 else _words8
    pieces = max(1, _WEIGHTS_PER_PIECE // (TILE_ROWS * integers.shape[1]))
    per_block = max(1, block // group)
    scales = F.pad(scales, (0, -scales.shape[1] % per_block, 0, -len(scales) % TILE_ROWS))
    scales = scales.view(-1, TILE_ROWS, scales.shape[1] // per_block, per_block).transpose(1, 2)
    return PackedMatrix(
        bits=bits,
        rows=rows,
        columns=columns,
        group=group,
        words=torch.cat([words_of(piece) for piece in tiles.split(pieces)]),
        scales=scales.contiguous(),
        matrices=matrices,
    )


def _group_of(weight: PackedWeight) -> int:
    return weight.columns // weight.scale.shape[1]


def _wrong_group(group: int, block: int) -> str | None:
    if group % 32 or (group < block and block % group) or (group > block and group % block):
        return (
            f"groups of {group} columns; GPU kernels read 32, divisors of {block} above it and"
            f" multiples of {block}"
        )
    return None


def _words4(tiles: Tensor) -> Tensor:
    """int8 [tiles, blocks, 32, 128] → int32 [tiles, blocks, 32, 16]."""
    fields = tiles.unflatten(-1, (4, 2, 4, 2, 2))  # j, a, t, c, h
    fields = fields.permute(0, 1, 2, 5, 4, 6, 7, 3).int() + _NIBBLE_OFFSET  # t, a, c, h, j
    words = torch.zeros(fields.shape[:-2], dtype=torch.int32, device=tiles.device)
    for half in range(2):
        for plane in range(4):
            words |= fields[..., half, plane] << (16 * half + 4 * plane)
    return words.flatten(-3).contiguous()


def _words8(tiles: Tensor) -> Tensor:
    """int8 [tiles, blocks, 32, 32] in the kernels' order of columns."""
    fields = tiles.unflatten(-1, (2, 4, 4))  # a, t, e
    return fields.transpose(-3, -2).flatten(-3).contiguous()


def _integers(matrix: PackedMatrix) -> Tensor:
    """The integers in their own order, int8 [padded rows, padded columns]."""
    words = matrix.words
    if matrix.bits == 8:
        fields = words.unflatten(-1, (4, 2, 4)).transpose(-3, -2).flatten(-3)
    else:
        shifts = torch.arange(0, 32, 4, device=words.device, dtype=torch.int32)
        nibbles = ((words[..., None] >> shifts) & 15).to(torch.int8) - _NIBBLE_OFFSET
        ordered = nibbles.unflatten(-1, (2, 4)).unflatten(-3, (4, 2, 2))  # t, a, c, h, j
        fields = ordered.permute(0, 1, 2, 7, 4, 3, 5, 6).flatten(-5)  # j, a, t, c, h
    return fields.transpose(1, 2).reshape(len(words) * TILE_ROWS, -1)
