"""Quantized tensor formats: what they are, how they decode, and tables that stay on disk."""

from .blocks32 import Bytes
from .dequantize import dequantize
from .embedding import MappedEmbedding, RowTable
from .formats import FORMATS, UNSUPPORTED_GGML_NAMES, TensorFormat
from .w4a16 import PackedWeight

__all__ = [
    "FORMATS",
    "UNSUPPORTED_GGML_NAMES",
    "Bytes",
    "MappedEmbedding",
    "PackedWeight",
    "RowTable",
    "TensorFormat",
    "dequantize",
]
