"""RMS normalisation (spec: the weight multiplies as it is, in float32, before the cast back)."""

import torch.nn.functional as F
from torch import Tensor


def rms_norm(x: Tensor, weight: Tensor | None, eps: float) -> Tensor:
    """x / √(mean(x²) + eps) · weight over the last dimension, computed in float32, returned in x's dtype.

    Args:
        x: [..., D].
        weight: [D] in any float dtype, or None for a norm without weight.
    """
    if weight is None or weight.dtype == x.dtype:  # torch widens to float32 inside
        return F.rms_norm(x, (x.shape[-1],), weight, eps)
    return F.rms_norm(x.float(), (x.shape[-1],), weight.float(), eps).to(x.dtype)
