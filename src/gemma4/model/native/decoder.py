"""`Decoder.forward` and its head as native programs: the same numbers, few calls.

    embed     look-up of all tokens; soft tokens are put in their places
    prelude   per-layer inputs of the sharing layers, for the rows whose logits are wanted
    body      layers that own keys and values, for all tokens
    tail      sharing layers and final norm, for the rows whose logits are wanted
    head      scores over the vocabulary

Letters: T tokens, R rows whose logits are wanted, D model width, V vocab, H head dim.
"""

import math
from typing import Any

import torch
from torch import Tensor

from ...kernels.native import Native
from ...quant import MappedEmbedding
from ..batch import Batch
from ..decoder import PADDING_ID, Decoder
from ..decoder_layer import DecoderLayer
from ..gemma4 import Gemma4, Output
from ..paged_kv import PagedKV, PageStorage
from .layer import LayerBuilder, Streams
from .passes import body_pass, tail_pass
from .rotations import add_rotations
from .table import table_matrix
from .weights import weight_of
from .workspace import Workspace

FIRST_TAIL_ROWS = 16

LOOKED_UP = 256
"""Tokens after which pages of the per-layer table are let go, or in the end all of it would be in memory."""


class NativeDecoder:
    """Runs batches over one page storage; a drop-in for `Gemma4.forward`.

    Activations are rounded to 8 bits in groups of 32 where the weight is in blocks, to bfloat16 where
    it is bfloat16, and are float32 elsewhere. A row's result has the same bits whatever its company.

    Args:
        model: its linears may be packed or plain.
        storage: whose pages the batches' `PagedKV` name.
        tokens: of a pass at first; larger passes grow the buffers.
    """

    def __init__(self, model: Gemma4, storage: PageStorage, native: Native, *, tokens: int) -> None:
        self._model = model
        self._decoder: Decoder = model.decoder
        self._storage = storage
        self._native = native
        self._looked_up = 0
        self._body = self._tail = Workspace(0)
        self._fit_buffers(tokens, FIRST_TAIL_ROWS)

    def __call__(self, batch: Batch) -> Output:
        """One pass; hidden [R, D] and logits [R, V] are the caller's own."""
        logits = torch.empty(batch.logit_rows.numel(), self._model.config.text.vocab_size)
        return Output(self._run(batch, logits), logits)

    def hidden(self, batch: Batch) -> Tensor:
        """One pass without the head: hidden [R, D], the caller's own."""
        return self._run(batch, None)

    def _run(self, batch: Batch, logits: Tensor | None) -> Tensor:
        """Hidden states [R, D]; logits are written if there is a place for them."""
        assert isinstance(batch.kv, PagedKV)
        assert batch.kv.storage is self._storage
        tokens, rows = batch.ids.numel(), batch.logit_rows.numel()
        self._fit_buffers(tokens, rows)
        ids = batch.ids
        if batch.soft_rows is not None:
            ids = ids.index_fill(0, batch.soft_rows, PADDING_ID)
        with_body = body_pass(self._native, batch, ids)
        self._embed.run(with_body.native_pass)
        self._let_go_table(tokens)
        if batch.soft_rows is not None and batch.soft_tokens is not None:
            self._x[batch.soft_rows] = batch.soft_tokens.float()
        if not rows:
            self._body_program.run(with_body.native_pass)
            return torch.empty(0, self._x.shape[1])
        with_tail = tail_pass(self._native, batch, ids, logits)
        self._prelude.run(with_tail.native_pass)
        self._body_program.run(with_body.native_pass)
        self._tail_program.run(with_tail.native_pass)
        if logits is not None:
            self._head_program.run(with_tail.native_pass)
        return self._hidden[:rows].clone()

    def take_seconds(self) -> dict[str, float]:
        """Seconds in each kind of step since the last call."""
        totals: dict[str, float] = {}
        programs = (
            self._embed, self._prelude, self._body_program, self._tail_program, self._head_program
        )  # fmt: skip
        for program in programs:
            for name, seconds in program.take_seconds().items():
                totals[name] = totals.get(name, 0.0) + seconds
        return totals

    def _let_go_table(self, tokens: int) -> None:
        """Give pages of the rows of earlier passes back to the system, whose cache keeps them as it can."""
        self._looked_up += tokens
        table = getattr(self._decoder, "embed_tokens_per_layer", None)
        if self._looked_up >= LOOKED_UP and isinstance(table, MappedEmbedding):
            self._looked_up = 0
            table.let_go()

    def _fit_buffers(self, tokens: int, rows: int) -> None:
        """Build anew what is too small. Where there is no memory for it, nothing of it runs."""
        if tokens > self._body.capacity:
            self._build_body(tokens)
        if rows > self._tail.capacity:
            self._build_tail(max(rows, FIRST_TAIL_ROWS))

    def _build_body(self, capacity: int) -> None:
        decoder, config = self._decoder, self._decoder.config
        self._body = self._tail = Workspace(0)  # the tail reads the body's stream
        space = Workspace(capacity)
        self._x = space.floats("x", config.hidden_size)
        self._embed = self._native.program()
        table = table_matrix(self._native, decoder.embed_tokens)
        space.keep(table)
        self._embed.embed(table.matrix, math.sqrt(config.hidden_size), self._x.data_ptr())
        self._body_program = self._native.program()
        first = config.first_shared_layer
        streams = self._streams(space, self._body_program, self._x, 0, first)
        self._layers(space, self._body_program, streams, 0, first)
        self._body = space

    def _build_tail(self, capacity: int) -> None:
        decoder, config = self._decoder, self._decoder.config
        self._tail = Workspace(0)
        space = Workspace(capacity)
        x = space.floats("x", config.hidden_size)
        self._hidden = space.floats("hidden", config.hidden_size)
        self._prelude, self._tail_program = self._native.program(), self._native.program()
        first, last = config.first_shared_layer, config.num_layers
        self._prelude.gather(self._x.data_ptr(), x.data_ptr(), config.hidden_size)
        streams = self._streams(space, self._prelude, x, first, last)
        self._tail_program.gather(self._x.data_ptr(), x.data_ptr(), config.hidden_size)
        self._layers(space, self._tail_program, streams, first, last)
        head = space.keep(weight_of(self._native, decoder.embed_tokens))
        packed = space.bytes("head", head.packed_bytes).data_ptr()
        self._tail_program.norm(
            x.data_ptr(),
            config.hidden_size,
            space.vector(decoder.norm.weight),
            decoder.norm.eps,
            self._hidden.data_ptr(),
            head.packing,
            packed,
        )
        self._head_program = self._native.program()
        self._head_program.linear([(head.matrix, 0, head.rows)], packed)
        if config.logit_softcap is not None:
            self._head_program.softcap(config.vocab_size, config.logit_softcap)
        self._tail = space

    def _layers(
        self, space: Workspace, program: Any, streams: Streams, first: int, last: int
    ) -> None:
        builder = LayerBuilder(self._native, program, space, self._storage)
        for layer in list(self._decoder.layers)[first:last]:
            assert isinstance(layer, DecoderLayer)
            builder.add(layer, streams)

    def _streams(self, space: Workspace, program: Any, x: Tensor, first: int, last: int) -> Streams:
        """What the layers share, with the steps that compute it from the embeddings in x."""
        rotations = add_rotations(space, program, self._decoder.specs[first:last])
        per_layer = self._per_layer(space, program, x, first, last)
        return Streams(x=x, rotations=rotations, per_layer=per_layer, first_layer=first)

    def _per_layer(
        self, space: Workspace, program: Any, x: Tensor, first: int, last: int
    ) -> Tensor | None:
        decoder, config = self._decoder, self._decoder.config
        width = config.per_layer_dim
        if not width or first == last:
            return None
        inputs = space.floats("per-layer inputs", (last - first) * width)
        weight = space.keep(
            weight_of(
                self._native,
                decoder.per_layer_model_projection,
                first=first * width,
                last=last * width,
            )
        )
        packed = space.bytes(str(weight.packing), weight.packed_bytes).data_ptr()
        program.pack(x.data_ptr(), x.shape[1], x.shape[1], weight.packing, packed)
        program.linear([(weight.matrix, inputs.data_ptr(), inputs.shape[1])], packed)
        table = decoder.embed_tokens_per_layer
        program.per_layer(
            space.keep(table_matrix(self._native, table)).matrix,
            first,
            last - first,
            width,
            space.vector(decoder.per_layer_projection_norm.weight),
            decoder.per_layer_projection_norm.eps,
            config.hidden_size**-0.5,
            inputs.data_ptr(),
        )
        return inputs
