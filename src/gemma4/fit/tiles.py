"""What a GPU's kernels keep as it is quantized, and how many bytes that takes there.

A matrix is cut into tiles of 32 rows and blocks of columns, both filled up; see `kernels/cuda/packed`. The
loader and the estimates ask here what may be tiled, so they cannot disagree.

Letters: R rows, C columns.
"""

import re
from collections.abc import Mapping, Sequence
from math import prod
from typing import Final

from ..config import TextConfig
from ..tensors.entry import Role, TensorEntry, TensorKind
from .counts import Role as CountedRole
from .counts import role_of

TILE_ROWS: Final = 32
BLOCK_COLUMNS: Final = {4: 128, 8: 32}
"""Columns of a block, by bits."""

TILED_FORMATS: Final = {"Q4_0": (4, 32), "Q8_0": (8, 32), "W4A16": (4, 32)}
"""Encoding → bits, and columns with one scale; in W4A16 a file may have others."""

TILED: Final = "Q4_0, Q8_0 and symmetric W4A16"
"""The same in words."""

GPU_DTYPE: Final = "bfloat16"
"""That the kernels compute in where a checkpoint is quantized and nobody says another."""

LEAST_HEAD: Final = 16
"""Narrower heads fill no tensor core."""

_SCALE_BYTES: Final = 2
_ROLES: Final = frozenset({Role.ATTENTION, Role.MLP, Role.EXPERTS})
_PRODUCT: Final = re.compile(r"(.*\.(?:self_attn|mlp)\.)([qkv]|gate|up)_proj\.weight")


def may_be_tiled(entry: TensorEntry) -> bool:
    """Whether kernels multiply a tensor from tiles, if its format is one of theirs."""
    matrix = entry.kind in (TensorKind.LINEAR, TensorKind.EXPERTS) and entry.role in _ROLES
    return matrix and entry.shape[-2] % TILE_ROWS == 0


def whole_products(forms: Mapping[str, object | None]) -> frozenset[str]:
    """Names of the matrices that are tiled: all of one product have one form, or none of them is.

    Args:
        forms: what each tensor would be tiled in; None: it cannot be.
    """
    products: dict[str, set[object | None]] = {}
    for name, form in forms.items():
        products.setdefault(_product(name), set()).add(form)
    return frozenset(
        name
        for name, form in forms.items()
        if form is not None and len(products[_product(name)]) == 1
    )


def tiled_bytes(shape: tuple[int, ...], *, bits: int, group: int) -> int:
    """Bytes of a matrix [R, C] or of all experts' [E, R, C], with a scale for so many columns."""
    rows, block = prod(shape[:-1]), BLOCK_COLUMNS[bits]
    blocks = -(-shape[-1] // block)
    per_block = max(1, block // group)
    scales = -(-(shape[-1] // group) // per_block) * per_block
    return -(-rows // TILE_ROWS) * TILE_ROWS * (blocks * block * bits // 8 + scales * _SCALE_BYTES)


def published_tiles(
    entries: Sequence[TensorEntry], encodings: Mapping[CountedRole, str]
) -> dict[str, int]:
    """Names and bytes of what is tiled of a model whose roles have these encodings."""
    forms = {
        entry.name: TILED_FORMATS.get(encodings[role_of(entry)]) if may_be_tiled(entry) else None
        for entry in entries
    }
    whole = whole_products(forms)
    return {
        entry.name: tiled_bytes(entry.shape, bits=form[0], group=form[1])
        for entry in entries
        if (form := forms[entry.name]) is not None and entry.name in whole
    }


def gpu_obstacle(text: TextConfig, dtype: str, kv_dtype: str | None) -> str | None:
    """Why the kernels cannot compute a model of these widths, in these dtypes; None if they can.

    Args:
        dtype: of computation.
        kv_dtype: of keys and values, as asked; None: as the model computes.
    """
    if dtype not in ("bfloat16", "float16"):
        return f"GPU kernels compute in bfloat16 or float16, and dtype is {dtype}"
    if kv_dtype not in (None, dtype):
        return f"GPU kernels keep keys and values in {dtype}, and kv_dtype is {kv_dtype}"
    for part, width in (("head_dim", text.head_dim), ("full_head_dim", text.full_head_dim)):
        if width < LEAST_HEAD or width & (width - 1):
            return f"{part}={width} is no power of two from {LEAST_HEAD} on"
    gated = {"intermediate_size": text.intermediate_size}
    if text.moe is not None:
        gated["expert width"] = text.moe.intermediate_size
    for part, width in gated.items():
        if width % TILE_ROWS:  # gate and up lie in one matrix, cut between tiles
            return f"{part}={width} is no multiple of {TILE_ROWS}"
    return None


def _product(name: str) -> str:
    """Which product a matrix is a part of: queries, keys and values are one, gate and up another."""
    match = _PRODUCT.fullmatch(name)
    if match is None:
        return name
    return match[1] + ("qkv" if match[2] in "qkv" else "gate_up")
