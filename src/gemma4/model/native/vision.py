"""The vision tower with its layers as one native program.

Letters: I images, P patches, D width, N query heads, K kv heads, H head dim, n soft tokens.
"""

import torch
from torch import Tensor, nn

from ...kernels.native import Native
from ...ops.axial_rope import axial_cos_sin
from ..vision import VisionTower, centre
from ..vision_layer import VisionLayer
from .tower_program import Row, TowerProgram, multiply
from .workspace import Workspace


class NativeVisionTower(nn.Module):
    """`VisionTower.forward`; buffers live as long as a call.

    Activations are rounded to bfloat16 in front of bfloat16 weights and in attention, to 8 bits in front of
    weights in blocks, and are float32 elsewhere.
    """

    def __init__(self, tower: VisionTower, native: Native) -> None:
        super().__init__()
        self.tower = tower
        self._native = native

    def forward(self, patches: Tensor, positions: Tensor) -> Tensor:
        """Patches [P, 768] or [I, P, 768] in [0, 1], positions [..., P, 2] → float32 [..., n, D]."""
        if patches.ndim == 3:
            return torch.stack([self(*image) for image in zip(patches, positions, strict=True)])
        config, space = self.tower.config, Workspace(len(patches))
        x = space.floats("x", config.hidden_size)
        embedder = self.tower.patch_embedder
        projected = multiply(self._native, embedder.input_proj, centre(patches))
        torch.add(projected, embedder.places(positions, torch.float32), out=x)
        rotation = axial_cos_sin(positions, config.head_dim, config.rope_theta, torch.float32)
        cos, sin = (space.keep(part.contiguous()) for part in rotation)
        program = TowerProgram(self._native, space)
        for layer in self.tower.encoder.layers:
            assert isinstance(layer, VisionLayer)
            self._attention(program, space, layer, x, cos, sin)
            self._feed_forward(program, space, layer, x)
        program.run(len(patches))
        return self.tower.pool(x, positions)

    def _attention(
        self,
        program: TowerProgram,
        space: Workspace,
        layer: VisionLayer,
        x: Tensor,
        cos: Tensor,
        sin: Tensor,
    ) -> None:
        config, attention = self.tower.config, layer.self_attn
        own, shared = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
        query, out = space.staggered("query", own), space.floats("attended", own)
        key, value = space.staggered("key", shared), space.staggered("value", shared)
        projections = (attention.q_proj, query), (attention.k_proj, key), (attention.v_proj, value)
        program.linears(Row(x=x, norm=layer.input_layernorm), projections)
        program.steps.patch_attention(
            num_heads=config.num_heads,
            num_kv_heads=config.num_kv_heads,
            width=config.head_dim,
            query=query.data_ptr(),
            ld_query=query.stride(0),
            key=key.data_ptr(),
            value=value.data_ptr(),
            ld_key=key.stride(0),
            query_norm=space.vector(attention.q_norm.weight),
            key_norm=space.vector(attention.k_norm.weight),
            eps=attention.eps,
            cos=cos.data_ptr(),
            sin=sin.data_ptr(),
            queries=_rounded(space, "queries", own),
            keys=_rounded(space, "keys", shared),
            values=_rounded(space, "values", shared),
            out=out.data_ptr(),
        )
        y = space.staggered("branch", config.hidden_size)
        program.linears(Row(x=out), [(attention.o_proj, y)])
        program.add_normed(x, y, layer.post_attention_layernorm)

    def _feed_forward(
        self, program: TowerProgram, space: Workspace, layer: VisionLayer, x: Tensor
    ) -> None:
        config, mlp = self.tower.config, layer.mlp
        gate = space.staggered("gate", config.intermediate_size)
        up = space.staggered("up", config.intermediate_size)
        row = Row(x=x, norm=layer.pre_feedforward_layernorm)
        program.linears(row, [(mlp.gate_proj, gate), (mlp.up_proj, up)])
        y = space.staggered("branch", config.hidden_size)
        program.linears(Row(x=gate, source="GELU", other=up), [(mlp.down_proj, y)])
        program.add_normed(x, y, layer.post_feedforward_layernorm)


SPARE_ROWS = 16
"""Heads' patches fill whole tiles of as many rows as there are lanes."""


def _rounded(space: Workspace, name: str, width: int) -> int:
    """Address of bfloat16 numbers [P + SPARE_ROWS, width], the heads one after the other."""
    rows = space.capacity + SPARE_ROWS
    row_bytes = -(-rows * width * 2 // space.capacity)
    return space.bytes(name, row_bytes).data_ptr()
