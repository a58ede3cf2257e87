"""Quantized tensor formats: what they are, how they decode, and tables that stay on disk."""

from .dequantize import dequantize
from .formats import FORMATS, UNSUPPORTED_GGML_NAMES, TensorFormat

__all__ = ["FORMATS", "UNSUPPORTED_GGML_NAMES", "TensorFormat", "dequantize"]
