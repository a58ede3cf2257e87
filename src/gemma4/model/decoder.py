"""The text decoder of every size, and of Gemma 3: one stack of layers, told apart by configuration.

Letters: T tokens, R rows whose logits are wanted, V vocab, D model width, L layers, P per-layer dim.
"""

import math

import torch
from torch import Tensor, nn

from ..config import LayerKind, TextConfig
from ..ops.rope import cos_sin, inverse_frequencies
from .attention import Rotation
from .batch import Batch
from .decoder_layer import DecoderLayer
from .embedding import TableEmbedding, embed_tokens
from .norm import RMSNorm

PADDING_ID = 0  # the row that stands in for soft tokens in both embedding tables


class Decoder(nn.Module):
    """Embedding, layers, final norm; the head is the embedding again."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.specs = config.plan_layers()
        self.embed_tokens = TableEmbedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(config, spec) for spec in self.specs)
        self.norm = RMSNorm(config.hidden_size, config.norm_eps)
        if config.per_layer_dim:
            width = config.num_layers * config.per_layer_dim
            self.embed_tokens_per_layer = TableEmbedding(config.per_layer_vocab_size, width)
            self.per_layer_model_projection = nn.Linear(config.hidden_size, width, bias=False)
            self.per_layer_projection_norm = RMSNorm(config.per_layer_dim, config.norm_eps)

    def forward(self, batch: Batch) -> Tensor:
        """Hidden states after the final norm of the rows whose logits are wanted, [R, D].

        Layers that own no keys and values run for those rows only: about a third of E2B's prefill.
        """
        ids = batch.ids
        if batch.soft_rows is not None:
            ids = ids.index_fill(0, batch.soft_rows, PADDING_ID)
        hidden = self._embed(ids, batch)
        per_layer = self._per_layer(ids, hidden)
        rotations = rotations_for(self.config, batch.positions, hidden.dtype)
        narrowed = batch.logit_rows.numel() == ids.numel()
        for spec, layer in zip(self.specs, self.layers, strict=True):
            if spec.index >= self.config.first_shared_layer and not narrowed:
                hidden = hidden[batch.logit_rows]
                per_layer = None if per_layer is None else per_layer[batch.logit_rows]
                batch, narrowed = batch.select(batch.logit_rows), True
                if not hidden.shape[0]:
                    break  # a chunk of a prompt that only stores keys and values
                rotations = rotations_for(self.config, batch.positions, hidden.dtype)
            part = None if per_layer is None else per_layer[:, spec.index]
            hidden = layer(hidden, rotations[spec.kind], batch, part)
        return self.norm(hidden if narrowed else hidden[batch.logit_rows])

    def logits(self, hidden: Tensor) -> Tensor:
        """Scores over the vocabulary for normed hidden states [R, D], float32 [R, V]."""
        logits = self.embed_tokens.project(hidden).float()
        if self.config.logit_softcap is None:
            return logits
        return torch.tanh(logits / self.config.logit_softcap) * self.config.logit_softcap

    def _embed(self, ids: Tensor, batch: Batch) -> Tensor:
        hidden = embed_tokens(ids, self.embed_tokens)
        if batch.soft_rows is None or batch.soft_tokens is None:
            return hidden
        return hidden.index_copy(0, batch.soft_rows, batch.soft_tokens.to(hidden.dtype))

    def _per_layer(self, ids: Tensor, hidden: Tensor) -> Tensor | None:
        """What each layer adds (E2B, E4B), [T, L, P]: half from the token, half from its embedding."""
        if not self.config.per_layer_dim:
            return None
        shape = (ids.shape[0], self.config.num_layers, self.config.per_layer_dim)
        context = self.per_layer_model_projection(hidden) * self.config.hidden_size**-0.5
        context = self.per_layer_projection_norm(context.view(shape))
        token = self.embed_tokens_per_layer(ids, hidden.dtype).view(shape)
        return (context + token * math.sqrt(self.config.per_layer_dim)) * 2**-0.5


def rotations_for(
    config: TextConfig, positions: Tensor, dtype: torch.dtype
) -> dict[LayerKind, Rotation]:
    """Cosines and sines of the positions [T] for each kind of layer."""
    kinds = {
        LayerKind.SLIDING: (config.rope_sliding, config.head_dim),
        LayerKind.FULL: (config.rope_full, config.full_head_dim),
    }
    return {
        kind: cos_sin(positions, inverse_frequencies(rope, width).to(positions.device), dtype)
        for kind, (rope, width) in kinds.items()
    }
