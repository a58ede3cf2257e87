"""The decoder on a GPU, built from the modules that hold its weights."""

from .forward import CudaForward, open_forward

__all__ = ["CudaForward", "open_forward"]
