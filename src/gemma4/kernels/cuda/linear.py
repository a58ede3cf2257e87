"""Linear layers on a GPU: which kernel takes which product.

    rows of x       plain matrix            quantized matrix
    1 … 16          dense_linear            packed_linear          read at memory speed
    to 1023         torch (tensor cores)    packed_matmul          expanded tile by tile
    1024 and more   torch                   packed_expand, torch   expanded once

Letters: T rows of x, R matrix rows, C columns, S splits, E experts, k experts a row, P = T · k pairs.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...fit.tiles import BLOCK_COLUMNS, TILE_ROWS
from .dense_linear import dense_linear_kernel
from .gate import gelu_gate_kernel
from .packed import PackedMatrix, Weight
from .packed_expand import packed_expand_kernel
from .packed_linear import packed_linear_kernel
from .packed_matmul import packed_matmul_kernel
from .tile_values import BFLOAT16_BIAS, FLOAT16_BIAS, magic_of
from .tuning import Tuning

FEW_ROWS = 16
_SCALE_WORDS = {4: torch.int64, 2: torch.int32, 1: torch.int16}


@dataclass(frozen=True, slots=True, eq=False)
class ExpertTiles:
    """Pairs of row and expert, grouped by expert.

    Attributes:
        slots: int32 [M, n], numbers of pairs, −1 for none; pair p is row p // k.
        experts: int32 [M], the expert of each tile, −1 for an unused tile.
        num_pairs: P.
    """

    slots: Tensor
    experts: Tensor
    num_pairs: int


def matrix_rows(weight: Weight) -> int:
    """R of one matrix."""
    return weight.rows if isinstance(weight, PackedMatrix) else int(weight.shape[-2])


def linear(x: Tensor, weight: Weight, tuning: Tuning) -> Tensor:
    """x [T, C] times a matrix [R, C]: parts [S, T, R] whose sum is the product.

    Few rows come as float32 parts, many as one part in x's dtype.
    """
    if x.shape[0] > FEW_ROWS:
        return (
            _many_rows(x, weight)[None] if isinstance(weight, Tensor) else _many(x, weight, tuning)
        )
    rows = matrix_rows(weight)
    blocks = -(-x.shape[1] // _block(weight, tuning))
    splits = tuning.splits(-(-rows // TILE_ROWS), blocks)
    out = torch.empty(splits, x.shape[0], rows, dtype=torch.float32, device=x.device)
    _few_rows(x, weight, out, tuning, gated=False)
    return out


def gated_linear(x: Tensor, weight: Weight, tuning: Tuning) -> Tensor:
    """gelu(gate) · up for x [T, C] and gate rows above up rows [2F, C]: [T, F] in x's dtype."""
    width = matrix_rows(weight) // 2
    assert width % TILE_ROWS == 0, f"width {width} is no multiple of {TILE_ROWS}"
    out = x.new_empty(x.shape[0], width)
    if x.shape[0] <= FEW_ROWS:
        _few_rows(x, weight, out[None], tuning, gated=True)
    elif isinstance(weight, PackedMatrix) and x.shape[0] < tuning.expand_rows:
        _packed_matmul(x, weight, out, gated=True)
    else:
        both = linear(x, weight, tuning)
        gelu_gate(both[..., :width], both[..., width:], out)
    return out


def routed_linear(
    x: Tensor, weight: Weight, tiles: ExpertTiles, tuning: Tuning, *, x_divisor: int, gated: bool
) -> Tensor:
    """Each pair's row of x, pair // x_divisor, times its expert's matrix: [P, R] in x's dtype.

    Args:
        weight: E matrices, [E, R, C] or packed.
        gated: the matrices hold gate rows above up rows; the result is gelu(gate) · up, [P, R / 2].
    """
    rows = matrix_rows(weight) // 2 if gated else matrix_rows(weight)
    out = x.new_empty(tiles.num_pairs, rows)
    if tiles.slots.shape[1] <= FEW_ROWS:
        _few_rows(x, weight, out[None], tuning, gated=gated, tiles=tiles, x_divisor=x_divisor)
    elif isinstance(weight, PackedMatrix):
        _packed_matmul(x, weight, out, gated=gated, tiles=tiles, x_divisor=x_divisor)
    else:
        _dense(
            x, weight, out[None], gated=gated, tiles=tiles, x_divisor=x_divisor,
            rows=64, columns=64, warps=4, stages=3,
        )  # fmt: skip
    return out


def gelu_gate(gate: Tensor, up: Tensor, out: Tensor) -> None:
    """out [T, F] = gelu(Σ gate [S, T, F]) · up; up is [S, T, F] as well, or [T, F] and whole."""
    width, block = out.shape[1], 1024
    gelu_gate_kernel[(out.shape[0], -(-width // block))](
        gate, up, out, gate.shape[0], gate.stride(0), gate.stride(1), up.stride(-2), width,
        UP_IS_SPLIT=up.ndim == 3, BLOCK=block,
    )  # fmt: skip


def expand(weight: PackedMatrix, dtype: torch.dtype) -> Tensor:
    """A plain quantized matrix as numbers [R, C], each rounded once."""
    out = torch.empty(weight.rows, weight.columns, dtype=dtype, device=weight.words.device)
    packed_expand_kernel[weight.words.shape[:2]](
        weight.words, _scale_words(weight), out, magic_of(dtype), *out.shape,
        weight.words.shape[1], **_kind(weight, dtype),
    )  # fmt: skip
    return out


def _many_rows(x: Tensor, weight: Tensor) -> Tensor:
    return F.linear(x, weight)


def _many(x: Tensor, weight: PackedMatrix, tuning: Tuning) -> Tensor:
    if x.shape[0] >= tuning.expand_rows:
        return _many_rows(x, expand(weight, x.dtype))[None]
    out = x.new_empty(x.shape[0], weight.rows)
    _packed_matmul(x, weight, out, gated=False)
    return out[None]


def _few_rows(
    x: Tensor, weight: Weight, out: Tensor, tuning: Tuning,
    *, gated: bool, tiles: ExpertTiles | None = None, x_divisor: int = 1,
) -> None:  # fmt: skip
    """out [S, P, R], the splits' number given by its shape."""
    if isinstance(weight, Tensor):
        _dense(
            x, weight, out, gated=gated, tiles=tiles, x_divisor=x_divisor,
            rows=TILE_ROWS, columns=tuning.dense_columns, warps=1, stages=tuning.dense_stages,
        )  # fmt: skip
        return
    splits, pairs, rows = out.shape
    lanes = _lanes(pairs) if tiles is None else tiles.slots.shape[1]
    pair_tiles = -(-pairs // lanes) if tiles is None else len(tiles.experts)
    blocks = weight.words.shape[1]
    packed_linear_kernel[(-(-rows // TILE_ROWS), pair_tiles, splits)](
        weight.words, _scale_words(weight), x, out, *_routing(x, tiles),
        magic_of(x.dtype), pairs, x_divisor, rows, weight.columns, blocks, -(-blocks // splits),
        weight.words.shape[0] // weight.matrices,
        **_kind(weight, x.dtype), GATED=gated, ROUTED=tiles is not None, N=lanes,
        num_warps=1, num_stages=tuning.packed_stages,
    )  # fmt: skip


def _dense(
    x: Tensor, weight: Tensor, out: Tensor,
    *, gated: bool, tiles: ExpertTiles | None, x_divisor: int,
    rows: int, columns: int, warps: int, stages: int,
) -> None:  # fmt: skip
    splits, pairs, width = out.shape
    lanes = _lanes(pairs) if tiles is None else tiles.slots.shape[1]
    pair_tiles = -(-pairs // lanes) if tiles is None else len(tiles.experts)
    blocks = -(-weight.shape[-1] // columns)
    dense_linear_kernel[(-(-width // rows), pair_tiles, splits)](
        weight, x, out, *_routing(x, tiles),
        pairs, x_divisor, width, weight.shape[-1], -(-blocks // splits) * columns, weight.shape[-2],
        GATED=gated, ROUTED=tiles is not None, ROWS=rows, COLUMNS=columns, N=lanes,
        num_warps=warps, num_stages=stages,
    )  # fmt: skip


def _packed_matmul(
    x: Tensor, weight: PackedMatrix, out: Tensor,
    *, gated: bool, tiles: ExpertTiles | None = None, x_divisor: int = 1,
) -> None:  # fmt: skip
    pairs, rows = out.shape
    lanes = (64 if pairs <= 64 or gated else 128) if tiles is None else tiles.slots.shape[1]
    pair_tiles = -(-pairs // lanes) if tiles is None else len(tiles.experts)
    tile = 64 if gated or lanes <= 64 else 128
    packed_matmul_kernel[(-(-rows // tile), pair_tiles)](
        weight.words, _scale_words(weight), x, out, *_routing(x, tiles),
        magic_of(x.dtype), pairs, x_divisor, rows, weight.columns, weight.words.shape[1],
        weight.words.shape[0] // weight.matrices,
        **_kind(weight, x.dtype), GATED=gated, ROUTED=tiles is not None, ROWS=tile, N=lanes,
        num_warps=8 if tile == 128 else 4, num_stages=3,
    )  # fmt: skip


def _lanes(pairs: int) -> int:
    """Rows of x a program takes: what the tensor cores take at once, or twice that."""
    return 8 if pairs <= 8 else FEW_ROWS


def _block(weight: Weight, tuning: Tuning) -> int:
    return BLOCK_COLUMNS[weight.bits] if isinstance(weight, PackedMatrix) else tuning.dense_columns


def _routing(x: Tensor, tiles: ExpertTiles | None) -> tuple[Tensor, Tensor]:
    """Pointers of the grouping; any pointer stands in where the kernel does not look at them."""
    return (x, x) if tiles is None else (tiles.slots, tiles.experts)


def _scale_words(weight: PackedMatrix) -> Tensor:
    return weight.scales.view(_SCALE_WORDS[weight.scales.shape[-1]])


def _kind(weight: PackedMatrix, dtype: torch.dtype) -> dict[str, int | bool]:
    """What a kernel is compiled for: the format, and the type of x."""
    assert dtype in (torch.float16, torch.bfloat16), (
        f"quantized kernels compute in 16 bits, not {dtype}"
    )
    return {
        "BITS": weight.bits,
        "GROUP": weight.group,
        "BIAS": FLOAT16_BIAS if dtype is torch.float16 else BFLOAT16_BIAS,
        "SCALE_BFLOAT16": weight.scales.dtype is torch.bfloat16,
    }
