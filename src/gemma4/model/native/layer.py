"""The steps of one decoder layer, in the order of model/decoder_layer.py.

Letters: T tokens, D model width, N query heads, K kv heads, H head dim, F ffn, P per-layer dim, E experts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...config import LayerKind, LayerSpec
from ...kernels.native import Native
from ..decoder_layer import DecoderLayer
from ..paged_kv import PageStorage
from .weights import Weight, weight_of
from .workspace import Workspace

STORED = {"float32": "F32", "float16": "F16", "bfloat16": "BF16", "int8": "I8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """What layers of a section share: the residual stream [T, D], rotations, and per-layer inputs."""

    x: Tensor
    rotations: Mapping[LayerKind, tuple[Tensor, Tensor]]
    """Cosines and sines [T, H / 2] by kind of layer."""
    per_layer: Tensor | None
    first_layer: int


class LayerBuilder:
    """Adds layers to a program whose passes have at most the workspace's tokens.

    Args:
        lenders: of a drafter: by kind of layer, which layer's keys and values it reads. A sliding one sees
            a key more than its window, as the reference does.
    """

    def __init__(
        self,
        native: Native,
        program: Any,
        workspace: Workspace,
        storage: PageStorage,
        *,
        lenders: Mapping[LayerKind, int] | None = None,
    ) -> None:
        self._native = native
        self._program = program
        self._workspace = workspace
        self._storage = storage
        self._lenders = lenders

    def add(self, layer: DecoderLayer, streams: Streams) -> None:
        """Append the layer's steps."""
        width, eps = streams.x.shape[1], layer.input_layernorm.eps
        self._attention(layer, streams)
        scalar = float(layer.layer_scalar) if layer.has_scalar else 1.0
        feeds_per_layer = streams.per_layer is not None
        y = self._feed_forward(layer, streams.x)
        self._program.add_norm(
            streams.x.data_ptr(),
            y.data_ptr(),
            self._workspace.vector(layer.post_feedforward_layernorm.weight),
            width,
            eps,
            1.0 if feeds_per_layer else scalar,
        )
        if streams.per_layer is not None:
            self._per_layer(layer, streams, scalar)

    def normed(self, x: Tensor, norm: Any, products: Sequence[tuple[object, Tensor]]) -> None:
        """Each y = norm(x) · Wᵀ."""
        weights = [(self._weight(source), y) for source, y in products]
        packings = {weight.packing for weight, _ in weights}
        vector = self._workspace.vector(norm.weight)
        width = x.shape[1]
        if len(packings) == 1:
            self._program.norm(
                x.data_ptr(), width, vector, norm.eps, 0, *self._packed(weights[0][0])
            )
            self._multiply(weights)
            return
        rows = self._workspace.floats("normed", width)
        first = weights[0][0]
        self._program.norm(x.data_ptr(), width, vector, norm.eps, rows.data_ptr(), first.packing, 0)
        self.linear(rows, products)

    def linear(self, x: Tensor, products: Sequence[tuple[object, Tensor]]) -> None:
        """Each y = x · Wᵀ."""
        weights = [(self._weight(source), y) for source, y in products]
        for packing in dict.fromkeys(weight.packing for weight, _ in weights):
            same = [(weight, y) for weight, y in weights if weight.packing == packing]
            width = x.shape[1]
            self._program.pack(x.data_ptr(), width, width, *self._packed(same[0][0]))
            self._multiply(same)

    def norm_into(self, x: Tensor, norm: Any, out: Tensor) -> None:
        """out = norm(x), as plain numbers."""
        packing = self._native.module.Packing.FLOATS
        weight = self._workspace.vector(norm.weight)
        self._program.norm(x.data_ptr(), x.shape[1], weight, norm.eps, out.data_ptr(), packing, 0)

    def _attention(self, layer: DecoderLayer, streams: Streams) -> None:
        attention, spec, space = layer.self_attn, layer.spec, self._workspace
        query = space.floats("query", spec.num_heads * spec.head_dim)
        out = space.floats("attended", spec.num_heads * spec.head_dim)
        key = space.floats("key", spec.num_kv_heads * spec.head_dim)
        value = space.floats("value", spec.num_kv_heads * spec.head_dim)
        products: list[tuple[object, Tensor]] = [(attention.q_proj, query)]
        if spec.owns_kv:
            products.append((attention.k_proj, key))
            if not spec.keys_are_values:
                products.append((attention.v_proj, value))
        self.normed(streams.x, layer.input_layernorm, products)
        cos, sin = streams.rotations[spec.kind]
        group, page_layer = self._pages(spec)
        self._program.attention(
            num_heads=spec.num_heads,
            num_kv_heads=spec.num_kv_heads,
            width=spec.head_dim,
            query=query.data_ptr(),
            key=key.data_ptr() if spec.owns_kv else 0,
            value=value.data_ptr(),
            query_norm=space.vector(attention.q_norm.weight),
            key_norm=space.vector(attention.k_norm.weight) if spec.owns_kv else 0,
            keys_are_values=spec.keys_are_values,
            normalizes_values=spec.normalizes_values,
            eps=attention.eps,
            scale=spec.attention_scale,
            cos=cos.data_ptr(),
            sin=sin.data_ptr(),
            layer=page_layer,
            group=group,
            window=self._window(spec),
            sees_spans=spec.is_sliding,
            out=out.data_ptr(),
        )
        width = streams.x.shape[1]
        y = space.floats("branch", width)
        self.linear(out, [(attention.o_proj, y)])
        norm = layer.post_attention_layernorm
        weight = space.vector(norm.weight)
        self._program.add_norm(streams.x.data_ptr(), y.data_ptr(), weight, width, norm.eps, 1.0)

    def _window(self, spec: LayerSpec) -> int:
        """Keys seen, 0 for all."""
        if spec.window is None:
            return 0
        return spec.window + (self._lenders is not None)

    def _pages(self, spec: LayerSpec) -> tuple[int, Any]:
        storage = self._storage
        source = spec.kv_source if self._lenders is None else self._lenders[spec.kind]
        group, row = storage.place(source)
        layers = len(storage.groups[group].layers)
        scaled = bool(storage.key_scales)
        page_layer = self._native.module.PageLayer(
            keys=storage.keys[group].data_ptr(),
            values=storage.values[group].data_ptr(),
            key_scales=storage.key_scales[group].data_ptr() if scaled else 0,
            value_scales=storage.value_scales[group].data_ptr() if scaled else 0,
            page_step=layers * spec.num_kv_heads,
            row_step=row * spec.num_kv_heads,
            width=spec.head_dim,
            stored=getattr(
                self._native.module.Stored, STORED[str(storage.dtype).removeprefix("torch.")]
            ),
        )
        return group, self._workspace.keep(page_layer)

    def _feed_forward(self, layer: DecoderLayer, x: Tensor) -> Tensor:
        space, width, inner = self._workspace, x.shape[1], layer.spec.intermediate_size
        gate, up = space.floats("gate", inner), space.floats("up", inner)
        y = space.floats("branch", width)
        self.normed(
            x,
            layer.pre_feedforward_layernorm,
            [(layer.mlp.gate_proj, gate), (layer.mlp.up_proj, up)],
        )
        self._gated(gate, inner, up.data_ptr(), inner, layer.mlp.down_proj, y)
        if not layer.has_experts:
            return y
        sparse = self._experts(layer, x)
        dense = space.floats("dense", width)
        self.norm_into(y, layer.post_feedforward_layernorm_1, dense)
        norm = layer.post_feedforward_layernorm_2
        weight = space.vector(norm.weight)
        self._program.add_norm(dense.data_ptr(), sparse.data_ptr(), weight, width, norm.eps, 1.0)
        return dense

    def _experts(self, layer: DecoderLayer, x: Tensor) -> Tensor:
        space, router, width = self._workspace, layer.router, x.shape[1]
        num_experts, top_k = router.per_expert_scale.numel(), router.top_k
        routing = space.keep(
            self._native.module.Routing(num_experts, top_k, max_tokens=space.capacity)
        )
        logits = space.floats("router", num_experts)
        proj = self._weight(router.proj)
        factor = space.vector(router.scale * width**-0.5)
        self._program.norm(x.data_ptr(), width, factor, router.eps, 0, *self._packed(proj))
        self._multiply([(proj, logits)])
        self._program.route(logits.data_ptr(), space.vector(router.per_expert_scale), routing)

        rows = space.floats("normed", width)
        self.norm_into(x, layer.pre_feedforward_layernorm_2, rows)
        gate_up = self._expert_weight(layer.experts.gate_up_proj, num_experts)
        down = self._expert_weight(layer.experts.down_proj, num_experts)
        slot_gates = space.floats("slot gates", top_k * gate_up.rows)
        slot_outs = space.floats("slot outs", top_k * width)
        for_up = space.bytes("slots", top_k * gate_up.packed_bytes).data_ptr()
        for_down = space.bytes("slots down", top_k * down.packed_bytes).data_ptr()
        program = self._program
        program.spread(routing, rows.data_ptr(), width, gate_up.packing, for_up)
        program.expert_linear(routing, gate_up.matrix, for_up, slot_gates.data_ptr())
        inner = down.columns
        program.expert_gate(routing, slot_gates.data_ptr(), inner, down.packing, for_down)
        program.expert_linear(routing, down.matrix, for_down, slot_outs.data_ptr())
        out = space.floats("sparse", width)
        program.combine(routing, slot_outs.data_ptr(), width, out.data_ptr())
        return out

    def _per_layer(self, layer: DecoderLayer, streams: Streams, scalar: float) -> None:
        space, width = self._workspace, streams.x.shape[1]
        inputs = streams.per_layer
        assert inputs is not None
        weight = self._weight(layer.per_layer_input_gate)
        gate = space.floats("per-layer gate", weight.rows)
        self.linear(streams.x, [(layer.per_layer_input_gate, gate)])
        y = space.floats("branch", width)
        column = (layer.spec.index - streams.first_layer) * weight.rows
        up = inputs.data_ptr() + 4 * column
        self._gated(gate, weight.rows, up, inputs.shape[1], layer.per_layer_projection, y)
        norm = layer.post_per_layer_input_norm
        vector = space.vector(norm.weight)
        self._program.add_norm(streams.x.data_ptr(), y.data_ptr(), vector, width, norm.eps, scalar)

    def _gated(
        self, gate: Tensor, ld_gate: int, up: int, ld_up: int, source: object, y: Tensor
    ) -> None:
        """y = (gelu(gate) · up) · Wᵀ."""
        weight = self._weight(source)
        self._program.gate(
            gate.data_ptr(), ld_gate, up, ld_up, weight.columns, *self._packed(weight)
        )
        self._multiply([(weight, y)])

    def _multiply(self, products: Sequence[tuple[Weight, Tensor]]) -> None:
        packed = self._packed(products[0][0])[1]
        self._program.linear(
            [(weight.matrix, y.data_ptr(), y.stride(0)) for weight, y in products], packed
        )

    def _packed(self, weight: Weight) -> tuple[Any, int]:
        """The packing, and the address of the buffer that activations are packed into."""
        buffer = self._workspace.bytes(str(weight.packing), weight.packed_bytes)
        return weight.packing, buffer.data_ptr()

    def _weight(self, source: object) -> Weight:
        return self._workspace.keep(weight_of(self._native, source))

    def _expert_weight(self, source: object, num_experts: int) -> Weight:
        """The first expert's matrix; the others follow in memory."""
        whole = self._weight(source)
        return self._workspace.keep(weight_of(self._native, source, last=whole.rows // num_experts))
