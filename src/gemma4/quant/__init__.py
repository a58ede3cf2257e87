"""Quantized tensor formats: what they are, how they decode, and tables that stay on disk."""

from .blocks32 import Bytes
from .dequantize import dequantize
from .formats import FORMATS, UNSUPPORTED_GGML_NAMES, TensorFormat

__all__ = ["FORMATS", "Bytes", "UNSUPPORTED_GGML_NAMES", "TensorFormat", "dequantize"]
