"""The multi-token-prediction drafter: four layers over the target's own keys and values.

One step drafts one token from the last token and the target's hidden state behind it:

    [embed(token)·√D ; hidden] → pre_projection → layers → norm → head, and post_projection → next hidden

Letters: D target width, d drafter width, V vocab, C centroids.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import DrafterConfig, LayerKind, LayerSpec
from .batch import Batch
from .decoder import rotations_for
from .decoder_layer import DecoderLayer
from .embedding import TableEmbedding
from .kv import VisibleKeys, attend_each
from .norm import RMSNorm


@dataclass(frozen=True, slots=True)
class Draft:
    """One step: `logits` float32 [V], and the hidden state [D] that the next step starts from."""

    logits: Tensor
    hidden: Tensor


class BorrowedKV:
    """The target's keys and values, read-only, as a drafter sees them.

    Args:
        keys: for each kind of layer, what the target's last owner of that kind keeps of the request.
        length: tokens that count; what the target stored beyond them is ignored.
    """

    def __init__(self, keys: dict[LayerKind, VisibleKeys], length: int) -> None:
        self._keys = {
            kind: VisibleKeys(
                visible.key[: length - visible.first],
                visible.value[: length - visible.first],
                visible.first,
            )
            for kind, visible in keys.items()
        }

    def attend(
        self, spec: LayerSpec, query: Tensor, key: Tensor | None, value: Tensor | None, batch: Batch
    ) -> Tensor:
        """See `KV.attend`; nothing is stored, and a sliding layer sees W + 1 keys, as the reference does."""
        assert key is None, "a drafter owns no keys and values"
        assert value is None
        visible = self._keys[spec.kind]
        if spec.window is not None:
            start = max(0, visible.key.shape[0] - spec.window - 1)
            visible = VisibleKeys(visible.key[start:], visible.value[start:], visible.first + start)
        return attend_each(replace(spec, window=None), query, [visible], batch, None)


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
        self.top_centroids = config.top_centroids
        self.centroids = nn.Linear(text.hidden_size, config.num_centroids, bias=False)
        self.register_buffer("token_ordering", torch.zeros(text.vocab_size, dtype=torch.int64))

    def forward(self, hidden: Tensor, table: Tensor) -> Tensor:
        """Logits [V] for hidden [d]; words not looked at get the least score found, minus 1."""
        assert isinstance(self.token_ordering, Tensor)
        clusters = self.token_ordering.view(self.centroids.out_features, -1)  # [C, V/C]
        best = self.centroids(hidden).topk(self.top_centroids).indices
        candidates = clusters[best].flatten()
        scores = F.linear(hidden, table[candidates])
        logits = scores.new_full((table.shape[0],), float(scores.min()) - 1.0)
        return logits.index_copy(0, candidates, scores)


class Drafter(nn.Module):
    """A drafter for one request at a time."""

    def __init__(self, config: DrafterConfig) -> None:
        super().__init__()
        self.config = config
        width = config.text.hidden_size
        self.pre_projection = nn.Linear(2 * config.backbone_hidden_size, width, bias=False)
        self.model = DrafterDecoder(config)
        self.post_projection = nn.Linear(width, config.backbone_hidden_size, bias=False)
        if config.num_centroids:
            self.masked_embedding = OrderedHead(config)

    def forward(self, embedding: Tensor, hidden: Tensor, position: int, kv: BorrowedKV) -> Draft:
        """Draft one token.

        Args:
            embedding: [D], the target's scaled embedding of the last token.
            hidden: [D], the target's hidden state after its final norm, or the last draft's.
            position: of the last token; the same for all drafts of a round.
        """
        x = self.pre_projection(torch.cat((embedding, hidden)))[None]  # [1, d]
        positions = torch.tensor([position], device=x.device)
        batch = Batch(
            ids=positions,
            positions=positions,
            lengths=(1,),
            logit_rows=torch.zeros(1, dtype=torch.int64, device=x.device),
            kv=kv,
        )
        rotations = rotations_for(self.config.text, positions, x.dtype)
        for layer in self.model.layers:
            assert isinstance(layer, DecoderLayer)
            x = layer(x, rotations[layer.spec.kind], batch, None)
        normed = self.model.norm(x)[0]
        return Draft(self._score(normed).float(), self.post_projection(normed))

    def _score(self, normed: Tensor) -> Tensor:
        table = self.model.embed_tokens.weight
        if self.config.num_centroids:
            return self.masked_embedding(normed, table)
        return F.linear(normed, table)


def build_drafter(config: DrafterConfig) -> Drafter:
    """The drafter without weights, on the meta device."""
    with torch.device("meta"):
        return Drafter(config).eval().requires_grad_(False)
