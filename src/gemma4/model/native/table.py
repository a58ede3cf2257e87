"""Embedding tables as the kernels look rows up in them."""

from ...errors import EnvironmentFault
from ...kernels.native import Native
from ...quant import FORMATS, BlockMatrix, MappedEmbedding, PackedTable
from .weights import Weight, weight_of


def table_matrix(native: Native, table: object) -> Weight:
    """The matrix of a token embedding or of a table that stays on disk.

    Raises:
        EnvironmentFault: its format is not one that the kernels decode.
    """
    if isinstance(table, MappedEmbedding):
        stored = table.table
        raw, format = getattr(stored, "raw", None), FORMATS.get(getattr(stored, "encoding", ""))
        if raw is None or format is None or not hasattr(native.module.Format, format.name):
            raise EnvironmentFault(
                f"the native kernels cannot look rows up in {getattr(stored, 'encoding', 'this table')}; "
                "load with kernels=off"
            )
        matrix = BlockMatrix(format=format, raw=raw, columns=stored.shape[-1])
        return weight_of(native, PackedTable(matrix, table.dtype))
    return weight_of(native, table)
