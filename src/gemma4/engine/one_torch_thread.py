"""torch beside kernels that bring threads of their own."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Let torch compute with the calling thread alone.

    After each parallel call its other threads wait awake for milliseconds, on the cores that the kernels'
    threads want for the next pass: of one stream on two cores that took a fifth of the speed.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
