"""The decoder's pass on a GPU, from fused kernels: nine a layer when decoding, behind one graph launch.

It computes what `model.decoder` does, with the same weights and over the same pages. Nothing in `decode`
waits for the GPU or depends on values it holds, so a graph can record it.

Letters: B requests, T tokens, R rows whose logits are wanted, V vocab, D model width, L layers,
P per-layer dim.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...config import KVGroup, LayerKind, LayerSpec, TextConfig, plan_kv_groups
from ...ops.norm import rms_norm
from ...ops.rope import cos_sin, inverse_frequencies
from .attention import (
    QueryRuns,
    attend_many,
    attend_one,
    query_runs,
    tokens_of_a_run,
    visible_range,
)
from .decoder_weights import DecoderWeights, LayerWeights
from .experts import group_by_expert, route
from .linear import gated_linear, gelu_gate, linear, routed_linear
from .rows import add_norm, join_experts, layer_pages, norm, rope_and_write
from .scored import Scored
from .tuning import Tuning

Tables = Sequence[Tensor]  # int32 [B, blocks] for each group of layers


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Rows:
    """What all layers need of the rows of a pass; `runs` is None where each is its request's only one."""

    positions: Tensor  # int32 [T]
    requests: Tensor  # int32 [T]
    rotations: dict[LayerKind, tuple[Tensor, Tensor]]
    ranges: dict[LayerKind, tuple[Tensor, Tensor]]
    runs: dict[LayerKind, QueryRuns] | None


class CudaDecoder:
    """Hidden states and logits from ids, over pages of keys and values.

    Args:
        keys, values: the storage of each group of layers, [pages, L, K, H, 32] and [pages, L, K, 32, H],
            in the order of `plan_kv_groups`, of a float type.
    """

    def __init__(
        self,
        config: TextConfig,
        weights: DecoderWeights,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        tuning: Tuning | None = None,
    ) -> None:
        assert all(part.is_floating_point() for part in keys), "GPU kernels read pages of floats"
        self.config = config
        self.specs = config.plan_layers()
        self.tuning = Tuning() if tuning is None else tuning
        self._weights = weights
        self._keys, self._values = tuple(keys), tuple(values)
        self._places = _places(plan_kv_groups(self.specs))
        device = weights.norm.device
        self._frequencies = {
            spec.kind: inverse_frequencies(spec.rope, spec.head_dim).to(device)
            for spec in self.specs
        }
        self._no_norm = weights.norm.new_empty(0, config.hidden_size)

    def embed(self, ids: Tensor) -> Tensor:
        """Scaled embeddings [T, D] of ids int64 [T]; soft tokens are put over them by the caller."""
        table = self._weights.embedding
        scale = torch.tensor(math.sqrt(self.config.hidden_size), dtype=table.dtype)
        return table[ids] * float(scale)

    def decode(
        self, ids: Tensor, positions: Tensor, tables: Tables, per_layer_tokens: Tensor | None = None
    ) -> Scored:
        """One token of each request, all rows scored.

        Rows may be neighbours of one request, each with its own copy of the request's tables: a layer
        writes the keys and values of all rows before any of them attends.

        Args:
            ids: int64 [B]. positions: int32 [B], −1 for a row that stands for nobody.
            per_layer_tokens: [B, L · P], rows of the per-layer table, where the model has one.
        """
        hidden = self.embed(ids)
        rows = _Rows(
            positions=positions,
            requests=torch.arange(ids.shape[0], dtype=torch.int32, device=ids.device),
            rotations=self._rotations(positions, hidden.dtype),
            ranges={},
            runs=None,
        )
        per_layer = self._per_layer(hidden, per_layer_tokens)
        hidden, normed = self._layers(self.specs, hidden, None, per_layer, rows, tables)
        return self._score(normed)

    def prefill(
        self,
        hidden: Tensor,
        positions: Tensor,
        lengths: tuple[int, ...],
        logit_rows: Tensor,
        tables: Tables,
        *,
        spans: Tensor | None = None,
        per_layer_tokens: Tensor | None = None,
    ) -> Scored:
        """Chunks of prompts, packed.

        Args:
            hidden: embeddings [T, D]. positions: [T]. lengths: tokens of each request, in order.
            logit_rows: int64 [R], ascending. spans: as in `Batch`, int64 [T] or None.
        """
        rows = self._packed_rows(hidden, positions, lengths, spans)
        per_layer = self._per_layer(hidden, per_layer_tokens)
        first_shared = self.config.first_shared_layer
        hidden, normed = self._layers(
            self.specs[:first_shared], hidden, None, per_layer, rows, tables
        )
        if not logit_rows.numel():
            none = normed.new_empty(0, self.config.vocab_size, dtype=torch.float32)
            return Scored(self._no_norm, none)
        if first_shared < len(self.specs):  # these layers store nothing: the wanted rows are enough
            rows = _select(rows, logit_rows, self.specs)
            per_layer = None if per_layer is None else per_layer[logit_rows]
            hidden, normed = self._layers(
                self.specs[first_shared:], hidden[logit_rows], normed[logit_rows], per_layer, rows,
                tables,
            )  # fmt: skip
        else:
            normed = normed[logit_rows]
        return self._score(normed.contiguous())

    def _layers(
        self,
        specs: Sequence[LayerSpec],
        hidden: Tensor,
        normed: Tensor | None,
        per_layer: Tensor | None,
        rows: _Rows,
        tables: Tables,
    ) -> tuple[Tensor, Tensor]:
        """Run layers: the stream, and what the layer behind them (or the head) reads of it."""
        eps, layers = self.config.norm_eps, self._weights.layers
        if normed is None:
            normed = norm(hidden, layers[specs[0].index].input_norm, eps)
        for spec in specs:
            weights = layers[spec.index]
            last = spec.index + 1 == len(layers)
            next_norm = self._weights.norm if last else layers[spec.index + 1].input_norm
            part = None if per_layer is None else per_layer[:, spec.index]
            attended = self._attend(spec, weights, normed, rows, tables)
            hidden, after = add_norm(
                hidden, attended, weights.post_attention, None, weights.after_attention, eps
            )
            hidden, normed = self._feed_forward(weights, hidden, after, part, next_norm)
        return hidden, normed

    def _attend(
        self, spec: LayerSpec, weights: LayerWeights, normed: Tensor, rows: _Rows, tables: Tables
    ) -> Tensor:
        """Parts [S, T, D] of attention's output."""
        group, row = self._places[spec.kv_source]
        pages = layer_pages(self._keys[group], self._values[group], row, tables[group])
        query = rope_and_write(
            spec, linear(normed, weights.qkv, self.tuning), weights.query_norm, weights.key_norm,
            rows.rotations[spec.kind], rows.positions, rows.requests, pages, self.config.norm_eps,
        )  # fmt: skip
        if rows.runs is None:
            out = attend_one(spec, query, pages, rows.positions, self.tuning)
        else:
            out = attend_many(spec, query, pages, *rows.ranges[spec.kind], rows.runs[spec.kind])
        return linear(out.view(len(out), -1), weights.output, self.tuning)

    def _feed_forward(
        self,
        weights: LayerWeights,
        hidden: Tensor,
        after: Tensor,
        per_layer: Tensor | None,
        next_norm: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """The stream behind the layer, and its next norm."""
        eps, tuning = self.config.norm_eps, self.tuning
        inner = gated_linear(after[0], weights.gate_up, tuning)
        branch = linear(inner, weights.down, tuning)
        if weights.experts is not None:
            branch = self._add_experts(weights, branch, after)
        norm_weight = weights.post_feedforward
        if weights.per_layer is not None and per_layer is not None:
            hidden, _ = add_norm(hidden, branch, norm_weight, None, self._no_norm, eps)
            gate = linear(hidden, weights.per_layer.gate, tuning)
            gated = torch.empty_like(per_layer, memory_format=torch.contiguous_format)
            gelu_gate(gate, per_layer, gated)
            branch = linear(gated, weights.per_layer.projection, tuning)
            norm_weight = weights.per_layer.norm
        hidden, normed = add_norm(hidden, branch, norm_weight, weights.scalar, next_norm[None], eps)
        return hidden, normed[0]

    def _add_experts(self, weights: LayerWeights, dense: Tensor, after: Tensor) -> Tensor:
        experts, moe = weights.experts, self.config.moe
        assert experts is not None
        assert moe is not None
        logits = linear(after[2], experts.router, self.tuning)
        pair_weights, chosen = route(logits, experts.scale, moe.top_k)
        tiles = group_by_expert(chosen, moe.num_experts)
        inner = routed_linear(
            after[1], experts.gate_up, tiles, self.tuning, x_divisor=moe.top_k, gated=True
        )
        sparse = routed_linear(inner, experts.down, tiles, self.tuning, x_divisor=1, gated=False)
        return join_experts(
            dense, experts.dense_norm, sparse, pair_weights, experts.sparse_norm,
            self.config.norm_eps,
        )  # fmt: skip

    def _per_layer(self, hidden: Tensor, tokens: Tensor | None) -> Tensor | None:
        """What each layer adds (E2B, E4B), [T, L, P], as in `model.decoder`."""
        projection, weight = self._weights.per_layer_projection, self._weights.per_layer_norm
        if projection is None or weight is None:
            return None
        assert tokens is not None, "this model wants the rows of its per-layer table"
        shape = (hidden.shape[0], self.config.num_layers, self.config.per_layer_dim)
        context = linear(hidden, projection, self.tuning).sum(0) * self.config.hidden_size**-0.5
        context = rms_norm(context.view(shape), weight, self.config.norm_eps)
        scaled = tokens.view(shape).float() * math.sqrt(self.config.per_layer_dim)
        return ((context + scaled) * 2**-0.5).to(hidden.dtype)

    def _score(self, normed: Tensor) -> Scored:
        logits = linear(normed, self._weights.embedding, self.tuning).float().sum(0)
        cap = self.config.logit_softcap
        return Scored(normed, logits if cap is None else torch.tanh(logits / cap) * cap)

    def _rotations(
        self, positions: Tensor, dtype: torch.dtype
    ) -> dict[LayerKind, tuple[Tensor, Tensor]]:
        return {
            kind: cos_sin(positions, frequencies, dtype)
            for kind, frequencies in self._frequencies.items()
        }

    def _packed_rows(
        self, hidden: Tensor, positions: Tensor, lengths: tuple[int, ...], spans: Tensor | None
    ) -> _Rows:
        counts = torch.tensor(lengths, device=hidden.device)
        owners = torch.arange(len(lengths), dtype=torch.int32, device=hidden.device)
        ranges, runs = {}, {}
        for spec in {spec.kind: spec for spec in self.specs}.values():
            both_ways = spans if self.config.bidirectional_media and spec.is_sliding else None
            ranges[spec.kind] = visible_range(positions, spec.window, both_ways, lengths)
            runs[spec.kind] = query_runs(lengths, tokens_of_a_run(spec), hidden.device)
        return _Rows(
            positions=positions.int(),
            requests=owners.repeat_interleave(counts, output_size=hidden.shape[0]),
            rotations=self._rotations(positions, hidden.dtype),
            ranges=ranges,
            runs=runs,
        )


def _select(rows: _Rows, chosen: Tensor, specs: Sequence[LayerSpec]) -> _Rows:
    """The same for some of the rows, int64 [R], ascending."""
    requests = rows.requests[chosen]
    lengths = tuple(torch.bincount(requests.long()).tolist())
    return _Rows(
        positions=rows.positions[chosen],
        requests=requests,
        rotations={k: (cos[chosen], sin[chosen]) for k, (cos, sin) in rows.rotations.items()},
        ranges={k: (low[chosen], high[chosen]) for k, (low, high) in rows.ranges.items()},
        runs={
            spec.kind: query_runs(lengths, tokens_of_a_run(spec), chosen.device) for spec in specs
        },
    )


def _places(groups: tuple[KVGroup, ...]) -> dict[int, tuple[int, int]]:
    """Group and row of each layer that owns keys and values."""
    return {
        layer: (number, row)
        for number, group in enumerate(groups)
        for row, layer in enumerate(group.layers)
    }
