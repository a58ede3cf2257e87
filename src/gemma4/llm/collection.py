"""Python's search for cyclic garbage, paused while much is made that stays. Imports nothing heavy."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause it: a vocabulary's merges are half a million tuples, torch as many parts of functions, and
    looking through them again and again takes most of a second."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
