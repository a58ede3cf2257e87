"""Memory that Python has freed and the C library keeps: given back to the system."""

import ctypes
import sys


def give_back_heap() -> None:
    """Return freed memory to the system. Does nothing where the C library has no such call (only glibc has).

    Building a tokenizer frees 200 to 300 MB in small pieces, which glibc keeps for small pieces to come.
    """
    if sys.platform != "linux":
        return
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
