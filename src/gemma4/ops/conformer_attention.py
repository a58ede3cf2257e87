"""Local attention of the audio conformer with relative positions; all in float32.

Queries go in blocks of C; each block sees the C keys before it and its own:

    keys of block b     bC − C ............ bC ............ bC + C − 1        the context, 2C keys
    query at p          sees keys p − C + 1 … p (distances 0 … C − 1)

Letters: T tokens, N heads, H head dim, C chunk, G blocks, R relative distances, D width.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_TIMESCALE = 10_000.0


def relative_positions(width: int, chunk: int, device: torch.device) -> Tensor:
    """Sinusoids of the distances C, C − 1, …, 0: float32 [C + 1, D], sines before cosines."""
    count = width // 2
    steps = torch.arange(count, dtype=torch.float32, device=device)
    frequencies = torch.exp(steps * (-math.log(MAX_TIMESCALE) / max(count - 1, 1)))
    distances = torch.arange(chunk, -1, -1, dtype=torch.float32, device=device)
    angles = distances[:, None] * frequencies  # [R, D/2]
    return torch.cat((angles.sin(), angles.cos()), dim=-1)


def scale_queries(query: Tensor, per_dim_scale: Tensor) -> Tensor:
    """query · softplus(scale) / (ln 2 · √H), in float32, for query [..., H] and scale [H]."""
    factor = query.shape[-1] ** -0.5 / math.log(2)
    return query.float() * factor * F.softplus(per_dim_scale.float())


def scale_keys(key: Tensor) -> Tensor:
    """key · ln(1 + e) / ln 2, in float32."""
    return key.float() * (math.log(1 + math.e) / math.log(2))


def local_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    relative_key: Tensor,
    mask: Tensor,
    *,
    chunk: int,
    logit_cap: float,
    invalid_logit: float,
) -> Tensor:
    """softmax(cap · tanh((q·k + q·r) / cap)) · v over each query's last C keys, float32 [T, N, H].

    Args:
        query, key, value: float32 [T, N, H], query and key scaled.
        relative_key: float32 [C + 1, N, H], of the distances C … 0.
        mask: bool [T], False where the key is padding.
        invalid_logit: stands for a key that is not seen.
    """
    num_tokens = query.shape[0]
    blocks = _split(query, chunk).permute(2, 0, 1, 3)  # [N, G, C, H]
    context = _gather_context(key, chunk).permute(1, 0, 2, 3)  # [N, G, H, 2C]
    values = _gather_context(value, chunk).permute(1, 0, 3, 2)  # [N, G, 2C, H]
    by_distance = blocks @ relative_key.permute(1, 2, 0)[:, None]  # [N, G, C, R]

    offsets = torch.arange(chunk, device=query.device)
    places = torch.arange(2 * chunk, device=query.device)
    distances = offsets[:, None] + chunk - places  # [C, 2C]
    columns = (chunk - distances).clamp(0, chunk).expand(*by_distance.shape[:2], -1, -1)
    logits = blocks @ context + by_distance.gather(-1, columns)  # [N, G, C, 2C]
    logits = logit_cap * torch.tanh(logits / logit_cap)

    seen = (distances >= 0) & (distances < chunk)  # [C, 2C]
    seen = seen & _gather_context(mask[:, None, None], chunk).view(-1, 1, 2 * chunk)  # [G, C, 2C]
    weights = logits.masked_fill(~seen, invalid_logit).softmax(dim=-1)
    out = (weights @ values).permute(1, 2, 0, 3).flatten(0, 1)  # [G·C, N, H]
    return out[:num_tokens]


def _split(x: Tensor, chunk: int) -> Tensor:
    """[T, N, H] → [G, C, N, H], the last block filled up with zeros."""
    padded = F.pad(x, (0, 0, 0, 0, 0, -x.shape[0] % chunk))
    return torch.unflatten(padded, 0, (-1, chunk))


def _gather_context(x: Tensor, chunk: int) -> Tensor:
    """[T, N, H] → [G, N, H, 2C]: each block's own places and those of the block before it."""
    padded = F.pad(x, (0, 0, 0, 0, chunk, -x.shape[0] % chunk))
    return padded.unfold(0, 2 * chunk, chunk)
