"""What lies between the matrix products, row by row: norms, sums, rotation, keys and values into pages.

Letters: T rows, D width, S parts, M norms, N query heads, K kv heads, H head dim, B requests.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ...config import PAGE_TOKENS, LayerSpec
from .norm import add_norm_kernel, join_experts_kernel
from .rope_write import rope_write_kernel


@dataclass(frozen=True, slots=True, eq=False)
class LayerPages:
    """One layer's part of the pages of its group.

    Attributes:
        keys: [pages, K, H, 32], values: [pages, K, 32, H], views into the storage.
        table: int32 [B, blocks], pages by block; what lies before the window is not looked at.
    """

    keys: Tensor
    values: Tensor
    table: Tensor


def add_norm(
    x: Tensor,
    branch: Tensor,
    branch_weight: Tensor,
    scalar: Tensor | None,
    next_weights: Tensor,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """(x + norm(Σ branch)) · scalar in x's dtype [T, D], and that normed with each weight [M, T, D].

    Args:
        x: [T, D]. branch: [S, T, D]. scalar: [1] or None. next_weights: [M, D].
    """
    num_rows, width = x.shape
    out = torch.empty_like(x)
    normed = x.new_empty(len(next_weights), num_rows, width)
    block = _block(width)
    add_norm_kernel[(num_rows,)](
        x, branch, branch_weight, x if scalar is None else scalar, next_weights, out, normed,
        eps, width, num_rows, branch.shape[0], branch.stride(0), branch.stride(1),
        HAS_BRANCH=True, HAS_SCALAR=scalar is not None, NUM_NEXT=len(next_weights),
        BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip
    return out, normed


def norm(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    """x [T, D] normed, as `ops.norm.rms_norm`."""
    normed = torch.empty_like(x)
    block = _block(x.shape[1])
    add_norm_kernel[(x.shape[0],)](
        x, x, weight, x, weight, x, normed, eps, x.shape[1], x.shape[0], 0, 0, 0,
        HAS_BRANCH=False, HAS_SCALAR=False, NUM_NEXT=1, BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip
    return normed


def join_experts(
    dense: Tensor,
    dense_weight: Tensor,
    sparse: Tensor,
    pair_weights: Tensor,
    sparse_weight: Tensor,
    eps: float,
) -> Tensor:
    """norm(Σ dense) + norm(Σ pair weight · expert output), float32 [1, T, D].

    Args:
        dense: [S, T, D]. sparse: [T · k, D], pairs of a row behind each other. pair_weights: [T, k].
    """
    num_parts, num_rows, width = dense.shape
    out = torch.empty(1, num_rows, width, dtype=torch.float32, device=dense.device)
    block = _block(width)
    join_experts_kernel[(num_rows,)](
        dense, dense_weight, sparse, pair_weights, sparse_weight, out,
        eps, width, num_parts, dense.stride(0), pair_weights.shape[1],
        BLOCK=block, num_warps=_warps(block),
    )  # fmt: skip
    return out


def rope_and_write(
    spec: LayerSpec,
    projected: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    rotation: tuple[Tensor, Tensor],
    positions: Tensor,
    requests: Tensor,
    pages: LayerPages,
    eps: float,
) -> Tensor:
    """Norm and turn queries and keys, write keys and values into pages: queries [T, N, H].

    Args:
        projected: [S, T, heads · H], heads in the order queries, keys, values; queries alone where the
            layer owns no keys.
        rotation: cosines and sines [T, 1, H / 2], as `ops.rope.cos_sin`; the queries get their dtype.
        positions: int32 [T], negative for a row that stands for nobody. requests: int32 [T].
    """
    num_parts, num_tokens, width = projected.shape
    cos, sin = rotation
    heads = width // spec.head_dim
    query = torch.zeros(
        num_tokens, spec.num_heads, spec.head_dim, dtype=cos.dtype, device=cos.device
    )
    rope_write_kernel[(num_tokens, heads)](
        projected, query_norm, key_norm, cos, sin, query, pages.keys, pages.values,
        positions, requests, pages.table, eps,
        num_parts, projected.stride(0), projected.stride(1),
        pages.keys.stride(0), pages.values.stride(0), pages.table.shape[1],
        N=spec.num_heads, K=spec.num_kv_heads, HALF=spec.head_dim // 2,
        KEYS_ARE_VALUES=spec.keys_are_values, NORM_VALUES=spec.normalizes_values, num_warps=4,
    )  # fmt: skip
    return query


def layer_pages(keys: Tensor, values: Tensor, row: int, table: Tensor) -> LayerPages:
    """Row `row` of a group's storage [pages, L, K, H, 32] and [pages, L, K, 32, H]."""
    assert keys.shape[-1] == PAGE_TOKENS, f"pages of {keys.shape[-1]} tokens"
    return LayerPages(keys[:, row], values[:, row], table)


def _block(width: int) -> int:
    return max(16, 1 << (width - 1).bit_length())


def _warps(block: int) -> int:
    return max(1, min(16, block // 512))
