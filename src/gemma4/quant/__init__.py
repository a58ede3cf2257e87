"""Quantized tensor formats: what they are, how they decode, and tables that stay on disk."""

from .block_matrix import BlockMatrix, BlockStack, PackedLinear, PackedTable
from .blocks32 import Bytes
from .dequantize import dequantize
from .embedding import MappedEmbedding, RowTable
from .formats import FORMATS, UNSUPPORTED_GGML_NAMES, TensorFormat
from .grouped_matrix import GroupedMatrix, grouped_matrix
from .pieces import StoredMatrix
from .w4a16 import PackedWeight

__all__ = [
    "FORMATS",
    "UNSUPPORTED_GGML_NAMES",
    "BlockMatrix",
    "BlockStack",
    "Bytes",
    "GroupedMatrix",
    "MappedEmbedding",
    "PackedLinear",
    "PackedTable",
    "PackedWeight",
    "RowTable",
    "StoredMatrix",
    "TensorFormat",
    "dequantize",
    "grouped_matrix",
]
