"""Attention without a mask: every patch of an image sees every other.

Letters: I images, P patches, N query heads, K kv heads, H head dim.
"""

import torch.nn.functional as F
from torch import Tensor


def attend_all(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """softmax(query·keyᵀ)·value for query [..., P, N, H], key and value [..., P, K, H].

    Leading dimensions, at most one, are separate images. torch's kernels that keep no P×P matrix want
    exactly four dimensions; at 10,080 patches that matrix would take gigabytes.
    """
    out = F.scaled_dot_product_attention(
        _heads_first(query),
        _heads_first(key),
        _heads_first(value),
        scale=1.0,
        enable_gqa=query.shape[-2] != key.shape[-2],
    )  # [I, N, P, H]
    return out.transpose(1, 2).reshape(query.shape)


def _heads_first(x: Tensor) -> Tensor:
    """[P, N, H] or [I, P, N, H] → [I, N, P, H]."""
    return (x if x.ndim == 4 else x[None]).transpose(1, 2)
