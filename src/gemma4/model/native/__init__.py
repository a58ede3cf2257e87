"""Decoder and drafter as programs of native kernels, built from the modules that hold their weights."""

from .decoder import NativeDecoder
from .drafter import NativeDrafter

__all__ = ["NativeDecoder", "NativeDrafter"]
