"""`Gemma4.forward` on a GPU, over pages that lie there.

    up to 16 tokens, no media    one recorded step: each token is a row with its request's tables, so a
                                 draft is checked with the arithmetic that would have decoded it
    all else                     kernels launched one by one: chunks of prompts

Rows of a per-layer table come from the host, where the table stays; page tables go to the GPU with each
pass.

Letters: B requests, T tokens, R rows whose logits are wanted, D model width, L layers, P per-layer dim.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from ...config import TextConfig
from ...kernels.cuda import CudaKernels
from ...kernels.cuda.decoder_weights import DecoderWeights
from ...kernels.cuda.graphs import SIZES, StepBuffers
from ...kernels.cuda.scored import Scored
from ..batch import Batch
from ..decoder import PADDING_ID
from ..gemma4 import Gemma4, Output
from ..page_table import blocks_of
from ..paged_kv import PagedKV, PageStorage
from .tables import table_rows
from .weights import stack_weights

RowLookup = Callable[[Tensor, torch.dtype], Tensor]
"""Rows of a table for ids int64 [T] in a dtype: [T, L · P], on the device of the ids."""


class CudaForward:
    """Runs batches over one page storage; a drop-in for `Gemma4.forward`.

    Logits come back in the host's memory, where tokens are chosen; hidden states stay where they are. A
    row of a pass of up to 16 tokens has the same bits in any such company. On a device without graphs
    the same kernels run launch by launch.

    Args:
        storage: whose pages the batches' `PagedKV` name, in the dtype of the weights.
        context: tokens that a request may have.
        per_layer_table: of a model that has one.
        sizes: rows of the recorded steps, ascending.
    """

    def __init__(
        self,
        config: TextConfig,
        weights: DecoderWeights,
        storage: PageStorage,
        kernels: CudaKernels,
        *,
        context: int,
        per_layer_table: RowLookup | None = None,
        sizes: Sequence[int] = SIZES,
    ) -> None:
        self._dtype = weights.embedding.dtype
        assert storage.dtype is self._dtype, (
            f"pages of {storage.dtype} beside weights of {self._dtype}: kernels multiply one dtype"
        )
        self._storage = storage
        self._table = per_layer_table
        self._decoder = kernels.decoder(config, weights, storage.keys, storage.values)
        self._runner = kernels.runner(
            self._step,
            table_widths=[blocks_of(context)] * len(storage.groups),
            per_layer_width=config.num_layers * config.per_layer_dim,
            dtype=self._dtype,
            device=storage.device,
            sizes=sizes,
        )
        if storage.device.type == "cuda":
            with self._on_device():
                self._runner.record()  # compiling now keeps the first answer from waiting for it

    def __call__(self, batch: Batch) -> Output:
        """One pass; hidden [R, D] and logits [R, V] are the caller's own."""
        assert isinstance(batch.kv, PagedKV)
        assert batch.kv.storage is self._storage
        ids = batch.ids
        if batch.soft_rows is not None:
            ids = ids.index_fill(0, batch.soft_rows, PADDING_ID)
        tokens = None if self._table is None else self._table(ids, self._dtype)
        plain = batch.soft_rows is None and batch.spans is None
        with self._on_device():
            if plain and ids.numel() <= self._runner.largest:
                scored = self._run_step(batch, batch.kv, tokens)
            else:
                scored = self._run_prompt(batch, batch.kv, ids, tokens)
        return Output(scored.hidden, _on_host(scored.logits))

    def check(self) -> None:
        """The recorded steps are sound."""
        self._runner.check()

    def _on_device(self) -> AbstractContextManager[object]:
        """Triton launches on the current GPU, wherever the tensors lie."""
        device = self._storage.device
        return torch.cuda.device(device) if device.type == "cuda" else nullcontext()

    def _step(self, buffers: StepBuffers) -> Scored:
        return self._decoder.decode(
            buffers.ids, buffers.positions, buffers.tables, buffers.per_layer_tokens
        )

    def _run_step(self, batch: Batch, kv: PagedKV, tokens: Tensor | None) -> Scored:
        tables = table_rows(kv.tables, batch.lengths, self._storage.device)
        scored = self._runner.run(batch.ids, batch.positions, tables, tokens)
        wanted = batch.logit_rows
        if wanted.numel() == batch.ids.numel():
            return scored
        return Scored(scored.hidden[wanted], scored.logits[wanted])

    def _run_prompt(self, batch: Batch, kv: PagedKV, ids: Tensor, tokens: Tensor | None) -> Scored:
        hidden = self._decoder.embed(ids)
        if batch.soft_rows is not None and batch.soft_tokens is not None:
            soft_tokens = batch.soft_tokens.to(hidden.dtype)
            hidden = hidden.index_copy(0, batch.soft_rows, soft_tokens)
        return self._decoder.prefill(
            hidden,
            batch.positions,
            batch.lengths,
            batch.logit_rows,
            table_rows(kv.tables, [1] * len(kv.tables), self._storage.device),
            spans=batch.spans,
            per_layer_tokens=tokens,
        )


def open_forward(
    model: Gemma4, storage: PageStorage, kernels: CudaKernels, *, context: int
) -> CudaForward:
    """The GPU's pass over a model's own weights; its modules keep views of them.

    Raises:
        CheckpointError: matrices of one product in formats that cannot be stacked.
    """
    decoder = model.decoder
    return CudaForward(
        decoder.config,
        stack_weights(decoder),
        storage,
        kernels,
        context=context,
        per_layer_table=decoder.embed_tokens_per_layer if decoder.config.per_layer_dim else None,
    )


def _on_host(logits: Tensor) -> Tensor:
    if logits.device.type == "cpu":
        return logits
    host = torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
    return host.copy_(logits)
