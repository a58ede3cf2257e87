"""The decoder's matrices as they lie in memory, and how many of their bytes a pass reads.

Letters: T tokens of a pass, E experts, k of them for each token.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from ...kernels.cuda.modules import TiledLinear, TiledStack
from ...kernels.cuda.packed import PackedMatrix
from ...model.decoder import Decoder
from ...model.embedding import TableEmbedding
from ...model.feedforward import Experts
from ...quant import (
    BlockMatrix,
    BlockStack,
    GroupedMatrix,
    MappedEmbedding,
    PackedLinear,
    PackedTable,
)

PLAIN_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


@dataclass(frozen=True, kw_only=True, slots=True)
class DecoderMatrix:
    """One matrix, or all experts' in one.

    Attributes:
        num_bytes: of all of it; of a table that is only looked up, of one row.
        address: where they begin, on a processor; 0: they are not read from one place.
        chosen: share of it that a token reads: k / E of experts, 1 else.
        by_rows: looked up: every token reads a row of its own.
    """

    encoding: str
    num_bytes: int
    address: int = 0
    chosen: float = 1.0
    by_rows: bool = False

    def read_by(self, num_tokens: int) -> float:
        """Bytes that a pass over so many tokens reads; experts as if chosen evenly, each read once."""
        if self.by_rows:
            return float(self.num_bytes * num_tokens)
        return self.num_bytes * (1 - (1 - self.chosen) ** num_tokens)


def find_matrices(decoder: Decoder) -> tuple[DecoderMatrix, ...]:
    """All that a decoding step reads: the layers, the head, and rows of the per-layer table.

    Norms and scales are left out: they are vectors.
    """
    return tuple(_walk(decoder))


def bytes_of_pass(matrices: Iterable[DecoderMatrix], num_tokens: int) -> int:
    """Bytes of weights that a pass over T tokens reads if it computes logits for all of them."""
    return round(sum(matrix.read_by(num_tokens) for matrix in matrices))


def bytes_by_encoding(matrices: Iterable[DecoderMatrix]) -> dict[str, int]:
    """Bytes that one token's pass reads, by encoding, the most first."""
    totals: dict[str, float] = {}
    for matrix in matrices:
        totals[matrix.encoding] = totals.get(matrix.encoding, 0.0) + matrix.read_by(1)
    return {name: round(size) for name, size in sorted(totals.items(), key=lambda item: -item[1])}


def _walk(decoder: Decoder) -> Iterator[DecoderMatrix]:
    moe = decoder.config.moe
    for module in decoder.modules():
        match module:
            case nn.Linear():
                yield _stored(module.weight)
            case PackedLinear() | PackedTable() | TiledLinear():
                yield _stored(module.matrix)
            case Experts():
                assert moe is not None
                chosen = moe.top_k / moe.num_experts
                for source in (module.gate_up_proj, module.down_proj):
                    yield _stored(source, chosen=chosen)
            case MappedEmbedding() | TableEmbedding():
                only_rows = module is not decoder.embed_tokens
                yield _row_of(module) if only_rows else _stored(module)
            case _:
                continue


def _stored(source: object, *, chosen: float = 1.0) -> DecoderMatrix:
    match source:
        case BlockStack() | TiledStack():
            return _stored(source.matrix, chosen=chosen)
        case TableEmbedding():
            return _stored(source.weight)
        case MappedEmbedding():
            return DecoderMatrix(encoding=source.table.encoding, num_bytes=source.table.nbytes)
        case BlockMatrix():
            return DecoderMatrix(
                encoding=source.encoding,
                num_bytes=source.raw.nbytes,
                address=source.address,
                chosen=chosen,
            )
        case GroupedMatrix():
            words, scale = source.weight.packed, source.weight.scale
            return DecoderMatrix(
                encoding=source.encoding, num_bytes=words.nbytes + scale.nbytes, chosen=chosen
            )
        case PackedMatrix():
            return DecoderMatrix(
                encoding=f"{source.bits} bits", num_bytes=source.num_bytes, chosen=chosen
            )
        case Tensor():
            name = str(source.dtype).removeprefix("torch.")
            return DecoderMatrix(
                encoding=PLAIN_NAMES.get(name, name),
                num_bytes=source.nbytes,
                address=source.data_ptr() if source.device.type == "cpu" else 0,
                chosen=chosen,
            )
    raise TypeError(f"{type(source).__name__} holds no matrix")


def _row_of(table: MappedEmbedding | TableEmbedding) -> DecoderMatrix:
    """A row of the per-layer table, wherever the table is."""
    if isinstance(table, TableEmbedding):
        whole = _stored(table.weight)
        rows = len(table.weight)
    else:
        whole = _stored(table)
        rows = table.table.shape[0]
    return DecoderMatrix(encoding=whole.encoding, num_bytes=whole.num_bytes // rows, by_rows=True)
