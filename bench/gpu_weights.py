"""Weights of true shapes, random, made on the device; and the bytes that a decode step must read of them."""

from dataclasses import fields

import torch
from torch import Tensor

from gemma4.config import LayerSpec, TextConfig, plan_kv_groups
from gemma4.kernels.cuda.decoder_weights import (
    DecoderWeights,
    ExpertWeights,
    LayerWeights,
    PerLayerWeights,
)
from gemma4.kernels.cuda.packed import BLOCK_COLUMNS, TILE_ROWS, PackedMatrix, Weight

Q4_GROUP = 32
KV_BYTES = 2  # of a number in the pages


class RandomWeights:
    """Draws the tensors of a decoder.

    Args:
        dtype: of everything that is not quantized.
        quantized: the layers' matrices are 4-bit groups of 32 with float16 scales, as Q4_0.
    """

    def __init__(
        self, config: TextConfig, dtype: torch.dtype, device: torch.device, *, quantized: bool
    ) -> None:
        self._config = config
        self.dtype = dtype
        self.device = device
        self._quantized = quantized

    def decoder(self) -> DecoderWeights:
        """All of it; the embedding and what stands beside the layers' matrices not quantized."""
        config = self._config
        width = config.num_layers * config.per_layer_dim
        return DecoderWeights(
            layers=tuple(self._layer(spec) for spec in config.plan_layers()),
            embedding=self._plain(config.vocab_size, config.hidden_size),
            norm=self._norm(config.hidden_size),
            per_layer_projection=self._plain(width, config.hidden_size) if width else None,
            per_layer_norm=self._norm(config.per_layer_dim) if width else None,
        )

    def per_layer_table(self) -> Tensor | None:
        """[V, L · P], looked up outside of the step."""
        width = self._config.num_layers * self._config.per_layer_dim
        return self._plain(self._config.per_layer_vocab_size, width) if width else None

    def _layer(self, spec: LayerSpec) -> LayerWeights:
        config = self._config
        hidden, head = config.hidden_size, spec.head_dim
        owned = spec.num_kv_heads * (1 if spec.keys_are_values else 2) if spec.owns_kv else 0
        return LayerWeights(
            qkv=self.matrix((spec.num_heads + owned) * head, hidden),
            output=self.matrix(hidden, spec.num_heads * head),
            gate_up=self.matrix(2 * spec.intermediate_size, hidden),
            down=self.matrix(hidden, spec.intermediate_size),
            query_norm=self._norm(head),
            key_norm=self._norm(head),
            input_norm=self._norm(hidden),
            post_attention=self._norm(hidden),
            after_attention=self._norm(3 if config.moe else 1, hidden),
            post_feedforward=self._norm(hidden),
            scalar=self._norm(1) if config.has_layer_scalar else None,
            experts=self._experts(),
            per_layer=self._per_layer(),
        )

    def _experts(self) -> ExpertWeights | None:
        moe, hidden = self._config.moe, self._config.hidden_size
        if moe is None:
            return None
        return ExpertWeights(
            router=self._plain(moe.num_experts, hidden),
            scale=self._norm(moe.num_experts),
            gate_up=self.matrix(2 * moe.intermediate_size, hidden, moe.num_experts),
            down=self.matrix(hidden, moe.intermediate_size, moe.num_experts),
            dense_norm=self._norm(hidden),
            sparse_norm=self._norm(hidden),
        )

    def _per_layer(self) -> PerLayerWeights | None:
        width, hidden = self._config.per_layer_dim, self._config.hidden_size
        if not width:
            return None
        return PerLayerWeights(
            gate=self.matrix(width, hidden),
            projection=self.matrix(hidden, width),
            norm=self._norm(hidden),
        )

    def matrix(self, rows: int, columns: int, matrices: int = 1) -> Weight:
        """A matrix, or several behind each other, in the form of the layers' matrices."""
        if self._quantized:
            return random_q4(rows, columns, self.device, matrices=matrices)
        plain = self._plain(matrices * rows, columns)
        return plain if matrices == 1 else plain.view(matrices, rows, columns)

    def _plain(self, rows: int, columns: int) -> Tensor:
        empty = torch.empty(rows, columns, dtype=self.dtype, device=self.device)
        return empty.normal_(std=columns**-0.5)

    def _norm(self, *shape: int) -> Tensor:
        return torch.empty(shape, dtype=self.dtype, device=self.device).uniform_(0.8, 1.2)


def random_q4(rows: int, columns: int, device: torch.device, *, matrices: int = 1) -> PackedMatrix:
    """Random 4-bit groups of 32, laid out as the kernels read them."""
    tiles, blocks = -(-rows * matrices // TILE_ROWS), -(-columns // BLOCK_COLUMNS[4])
    words = torch.empty(tiles, blocks, TILE_ROWS, 16, dtype=torch.int32, device=device)
    scales = torch.empty(tiles, blocks, TILE_ROWS, 4, dtype=torch.float16, device=device)
    words.random_(-(2**31), 2**31 - 1)
    scales.normal_(std=columns**-0.5 / 5)
    return PackedMatrix(
        bits=4,
        rows=rows,
        columns=columns,
        group=Q4_GROUP,
        words=words,
        scales=scales,
        matrices=matrices,
    )


def random_pages(
    config: TextConfig, requests: int, tokens: int, dtype: torch.dtype, device: torch.device
) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Keys, values and scattered tables with room for `tokens` of each request, all groups, all blocks."""
    keys, values, tables = [], [], []
    blocks = -(-tokens // 32)
    for group in plan_kv_groups(config.plan_layers()):
        shape = (requests * blocks, len(group.layers), group.num_kv_heads)
        keys.append(torch.empty((*shape, group.head_dim, 32), dtype=dtype, device=device).normal_())
        values.append(
            torch.empty((*shape, 32, group.head_dim), dtype=dtype, device=device).normal_()
        )
        pages = torch.randperm(requests * blocks, device=device).int()
        tables.append(pages.view(requests, blocks))
    return keys, values, tables


def step_bytes(config: TextConfig, weights: DecoderWeights, streams: int, depth: int) -> float:
    """Bytes a decode step reads: weights once, experts as many as uniform choice touches, keys and values."""
    touched = 1.0
    if config.moe is not None:
        touched = 1 - (1 - config.moe.top_k / config.moe.num_experts) ** streams
    total = float(weights.embedding.nbytes)
    if weights.per_layer_projection is not None:
        total += weights.per_layer_projection.nbytes
    for layer in weights.layers:
        total += sum(_bytes(getattr(layer, field.name)) for field in fields(layer))
        if layer.experts is not None:
            total += _bytes(layer.experts.router)
            total += touched * (_bytes(layer.experts.gate_up) + _bytes(layer.experts.down))
        if layer.per_layer is not None:
            total += _bytes(layer.per_layer.gate) + _bytes(layer.per_layer.projection)
    for spec in config.plan_layers():
        seen = depth + 1 if spec.window is None else min(depth + 1, spec.window)
        total += streams * seen * spec.num_kv_heads * spec.head_dim * 2 * KV_BYTES
    return total


def _bytes(weight: object) -> int:
    if isinstance(weight, PackedMatrix):
        return weight.num_bytes
    return weight.nbytes if isinstance(weight, Tensor) else 0
