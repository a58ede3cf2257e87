"""`Drafter.forward` as one native program: a call drafts a token for each request, on the target's own pages.

    [embed(token)·√D ; hidden] → pre_projection → layers → norm → head, and post_projection → hidden

Letters: B requests, D target width, d drafter width, V vocab, C centroids.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ...errors import CheckpointError
from ...kernels.native import Native
from ..decoder_layer import DecoderLayer
from ..drafter import Drafter, OrderedHead
from ..gemma4 import Gemma4
from ..page_table import PageTable
from ..paged_kv import PageStorage
from .layer import LayerBuilder, Streams
from .rotations import add_rotations
from .table import table_matrix
from .weights import weight_of
from .workspace import Workspace

FIRST_REQUESTS = 4


class NativeDrafter:
    """Drafts for requests whose pages lie in one storage; rounded as in `NativeDecoder`.

    Args:
        drafter: its linears may be packed or plain.
        storage: of the target's keys and values.

    Attributes:
        storage: the same.
    """

    def __init__(
        self, drafter: Drafter, target: Gemma4, storage: PageStorage, native: Native
    ) -> None:
        self.storage = storage
        self._drafter, self._target, self._native = drafter, target, native
        self._lenders = {spec.kind: spec.index for spec in target.decoder.specs if spec.owns_kv}
        self._space = Workspace(0)
        self._build(FIRST_REQUESTS)

    def begin(self, hidden: Tensor, tables: Sequence[PageTable], lengths: Sequence[int]) -> None:
        """Start a round of drafts.

        Args:
            hidden: [B, D], the target's behind its final norm, which the last tokens were chosen from.
            tables: of the requests; none may change before the last `step`.
            lengths: tokens of each request that count; those stored beyond them are ignored.
        """
        requests = len(tables)
        if requests > self._space.capacity:
            self._build(requests)
        self._input[:requests, self._width :] = hidden
        self._positions = torch.tensor(lengths) - 1
        groups = range(len(self.storage.groups))
        self._tables = [
            [table.pages[group].buffer_info()[0] for table in tables] for group in groups
        ]

    def step(self, ids: Sequence[int]) -> Tensor:
        """The next token's scores [B, V] behind these last ones; good until the next call."""
        requests = len(ids)
        last = torch.tensor(ids)
        self._program.run(
            self._native.module.Pass(
                count=requests,
                runs=[(request, request, 1) for request in range(requests)],
                ids=last.data_ptr(),
                positions=self._positions.data_ptr(),
                out=self._logits.data_ptr(),
                tables=self._tables,
            )
        )
        return self._logits[:requests]

    def _build(self, capacity: int) -> None:
        drafter, config = self._drafter, self._drafter.config
        self._space = Workspace(0)  # what was built before runs no more, even if this fails
        space = Workspace(capacity)
        program = self._program = self._native.program()
        self._width = config.backbone_hidden_size
        self._input = space.floats("input", 2 * self._width)
        self._logits = space.floats("logits", config.text.vocab_size)
        table = space.keep(table_matrix(self._native, self._target.decoder.embed_tokens))
        program.embed(table.matrix, math.sqrt(self._width), self._input.data_ptr(), 2 * self._width)
        builder = LayerBuilder(self._native, program, space, self.storage, lenders=self._lenders)
        x = space.floats("x", config.text.hidden_size)
        builder.linear(self._input, [(drafter.pre_projection, x)])
        specs = config.text.plan_layers()
        rotations = add_rotations(space, program, specs)
        streams = Streams(x=x, rotations=rotations, per_layer=None, first_layer=0)
        for layer in drafter.model.layers:
            assert isinstance(layer, DecoderLayer)
            builder.add(layer, streams)
        normed = space.floats("hidden", config.text.hidden_size)
        builder.norm_into(x, drafter.model.norm, normed)
        following = self._input[:, self._width :]
        builder.linear(normed, [(drafter.post_projection, following)])
        if config.num_centroids:
            self._add_ordered_head(builder, space, program, normed)
        else:
            builder.linear(normed, [(drafter.model.embed_tokens, self._logits)])
        self._space = space

    def _add_ordered_head(
        self, builder: LayerBuilder, space: Workspace, program: Any, normed: Tensor
    ) -> None:
        config = self._drafter.config
        head = self._drafter.masked_embedding
        clusters = space.floats("clusters", config.num_centroids)
        builder.linear(normed, [(head.centroids, clusters)])
        words = config.text.vocab_size // config.num_centroids * config.top_centroids
        chosen = space.bytes("chosen", 4 * config.top_centroids)
        scores = space.floats("candidates", words)
        ordering = space.keep(_words_of_clusters(head, config.text.vocab_size))
        program.ordered_head(
            table=space.keep(weight_of(self._native, self._drafter.model.embed_tokens)).matrix,
            ordering=ordering.data_ptr(),
            num_clusters=config.num_centroids,
            top=config.top_centroids,
            cluster_scores=clusters.data_ptr(),
            hidden=normed.data_ptr(),
            chosen=chosen.data_ptr(),
            scores=scores.data_ptr(),
        )


def _words_of_clusters(head: OrderedHead, vocab_size: int) -> Tensor:
    """The ordering, int64 [V]: the kernels read and write where it says.

    Raises:
        CheckpointError: a word that the vocabulary lacks.
    """
    ordering = head.token_ordering
    assert isinstance(ordering, Tensor)
    assert ordering.dtype is torch.int64
    wrong = ordering[(ordering < 0) | (ordering >= vocab_size)]
    if wrong.numel():
        raise CheckpointError(
            f"masked_embedding.token_ordering names word {int(wrong[0])} and the vocabulary has "
            f"0 to {vocab_size - 1}; download the drafter again"
        )
    return ordering.contiguous()
