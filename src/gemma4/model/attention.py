"""Self-attention of one decoder layer. Windows, sharing and caching are the KV object's.

Letters: T tokens, D model width, N query heads, K kv heads, H head dim.
"""

from torch import Tensor, nn

from ..config import LayerSpec
from ..ops.norm import rms_norm
from ..ops.rope import rotate
from .batch import Batch
from .norm import RMSNorm

Rotation = tuple[Tensor, Tensor]


class Attention(nn.Module):
    """Query, key and value projections with their norms, and the output projection.

    A layer that owns no keys and values has the query's part only; one whose values are its keys has
    no `v_proj`, and takes the values from the raw key projection, before norm and rotation.
    """

    def __init__(self, spec: LayerSpec, hidden_size: int, eps: float) -> None:
        super().__init__()
        self.spec = spec
        self.eps = eps
        query_width, kv_width = spec.num_heads * spec.head_dim, spec.num_kv_heads * spec.head_dim
        self.q_proj = nn.Linear(hidden_size, query_width, bias=False)
        self.q_norm = RMSNorm(spec.head_dim, eps)
        if spec.owns_kv:
            self.k_proj = nn.Linear(hidden_size, kv_width, bias=False)
            self.k_norm = RMSNorm(spec.head_dim, eps)
            if not spec.keys_are_values:
                self.v_proj = nn.Linear(hidden_size, kv_width, bias=False)
        self.o_proj = nn.Linear(query_width, hidden_size, bias=False)

    def forward(self, x: Tensor, rotation: Rotation, batch: Batch) -> Tensor:
        """Attend x [T, D] → [T, D]."""
        query = self.q_proj(x).view(-1, self.spec.num_heads, self.spec.head_dim)  # [T, N, H]
        query = rotate(self.q_norm(query), *rotation)
        key, value = self._key_value(x, rotation) if self.spec.owns_kv else (None, None)
        out = batch.kv.attend(self.spec, query, key, value, batch)
        return self.o_proj(out.reshape(x.shape[0], -1))

    def _key_value(self, x: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        shape = (-1, self.spec.num_kv_heads, self.spec.head_dim)
        raw = self.k_proj(x).view(shape)  # [T, K, H]
        value = raw if self.spec.keys_are_values else self.v_proj(x).view(shape)
        if self.spec.normalizes_values:
            value = rms_norm(value, None, self.eps)
        return rotate(self.k_norm(raw), *rotation), value
