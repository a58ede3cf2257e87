"""The multi-token-prediction drafter: four layers over the target's own keys and values.

One step drafts one token for each request, from its last token and the target's hidden state behind it:

    [embed(token)·√D ; hidden] → pre_projection → layers → norm → head, and post_projection → next hidden

Letters: B requests, D target width, d drafter width, V vocab, C centroids.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..config import DrafterConfig, LayerKind, LayerSpec
from .batch import Batch
from .decoder import rotations_for
from .decoder_layer import DecoderLayer
from .embedding import TableEmbedding, TokenTable
from .kv import VisibleKeys, attend_each
from .norm import RMSNorm


@dataclass(frozen=True, slots=True)
class Draft:
    """One step: `logits` float32 [B, V], and the hidden states [B, D] that the next step starts from."""

    logits: Tensor
    hidden: Tensor


class BorrowedKV:
    """The target's keys and values of each request, read-only, as a drafter sees them.

    Args:
        keys: of each request, for each kind of layer, what the target's last owner of that kind keeps.
        lengths: tokens of each request that count; what the target stored beyond them is ignored.
    """

    def __init__(
        self, keys: Sequence[Mapping[LayerKind, VisibleKeys]], lengths: Sequence[int]
    ) -> None:
        self._keys = {
            kind: [
                _first_tokens(request[kind], length)
                for request, length in zip(keys, lengths, strict=True)
            ]
            for kind in LayerKind
        }

    def attend(
        self, spec: LayerSpec, query: Tensor, key: Tensor | None, value: Tensor | None, batch: Batch
    ) -> Tensor:
        """See `KV.attend`; nothing is stored, and a sliding layer sees W + 1 keys, as the reference does."""
        assert key is None, "a drafter owns no keys and values"
        assert value is None
        keys = self._keys[spec.kind]
        if spec.window is not None:
            keys = [_last_keys(visible, spec.window + 1) for visible in keys]
        return attend_each(replace(spec, window=None), query, keys, batch, None)


def _first_tokens(visible: VisibleKeys, length: int) -> VisibleKeys:
    count = length - visible.first
    return VisibleKeys(visible.key[:count], visible.value[:count], visible.first)


def _last_keys(visible: VisibleKeys, count: int) -> VisibleKeys:
    start = max(0, visible.key.shape[0] - count)
    return VisibleKeys(visible.key[start:], visible.value[start:], visible.first + start)


class DrafterDecoder(nn.Module):
    """What checkpoints call `model`: layers, norm, and an embedding that is used as the head only."""

    def __init__(self, config: DrafterConfig) -> None:
        super().__init__()
        text = config.text
        self.embed_tokens = TableEmbedding(text.vocab_size, text.hidden_size)
        self.layers = nn.ModuleList(DecoderLayer(text, spec) for spec in text.plan_layers())
        self.norm = RMSNorm(text.hidden_size, text.norm_eps)


class OrderedHead(nn.Module):
    """Scores only the words of the best centroids (E2B, E4B): V is split into C clusters of V/C words."""

    def __init__(self, config: DrafterConfig) -> None:
        super().__init__()
        text = config.text
        self.num_centroids, self.top_centroids = config.num_centroids, config.top_centroids
        self.centroids = nn.Linear(text.hidden_size, config.num_centroids, bias=False)
        self.register_buffer("token_ordering", torch.zeros(text.vocab_size, dtype=torch.int64))

    def forward(self, hidden: Tensor, table: TokenTable) -> Tensor:
        """Logits [B, V] for hidden [B, d]; words not looked at get the row's least score found, minus 1."""
        assert isinstance(self.token_ordering, Tensor)
        clusters = self.token_ordering.view(self.num_centroids, -1)  # [C, V/C]
        best = self.centroids(hidden).topk(self.top_centroids, dim=-1).indices
        candidates = clusters[best].flatten(1)
        rows = table.lookup(candidates.flatten()).view(*candidates.shape, -1)
        scores = torch.einsum("bd,bcd->bc", hidden, rows)
        least = scores.amin(dim=-1, keepdim=True) - 1.0
        return least.expand(-1, clusters.numel()).scatter(1, candidates, scores)


class Drafter(nn.Module):
    """A drafter: one token for each request of a batch at a time."""

    def __init__(self, config: DrafterConfig) -> None:
        super().__init__()
        self.config = config
        width = config.text.hidden_size
        self.pre_projection = nn.Linear(2 * config.backbone_hidden_size, width, bias=False)
        self.model = DrafterDecoder(config)
        self.post_projection = nn.Linear(width, config.backbone_hidden_size, bias=False)
        if config.num_centroids:
            self.masked_embedding = OrderedHead(config)

    def forward(
        self, embeddings: Tensor, hidden: Tensor, positions: Tensor, kv: BorrowedKV
    ) -> Draft:
        """Draft one token for each request.

        Args:
            embeddings: [B, D], the target's scaled embeddings of the last tokens.
            hidden: [B, D], the target's hidden states after its final norm, or the last draft's.
            positions: int64 [B], of the last tokens that `kv` holds; the same for all drafts of a round.
        """
        x = self.pre_projection(torch.cat((embeddings, hidden), dim=-1))  # [B, d]
        batch = Batch(
            ids=positions,
            positions=positions,
            lengths=(1,) * positions.shape[0],
            logit_rows=torch.arange(positions.shape[0], device=x.device),
            kv=kv,
        )
        rotations = rotations_for(self.config.text, positions, x.dtype)
        for layer in self.model.layers:
            assert isinstance(layer, DecoderLayer)
            x = layer(x, rotations[layer.spec.kind], batch, None)
        normed = self.model.norm(x)
        return Draft(self._score(normed).float(), self.post_projection(normed))

    def _score(self, normed: Tensor) -> Tensor:
        table = self.model.embed_tokens
        if self.config.num_centroids:
            return self.masked_embedding(normed, table)
        return table.project(normed)


def build_drafter(config: DrafterConfig) -> Drafter:
    """The drafter without weights, on the meta device."""
    with torch.device("meta"):
        return Drafter(config).eval().requires_grad_(False)
