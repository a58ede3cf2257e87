"""torch beside kernels that bring threads of their own."""

from threading import Lock

import torch


class OneTorchThread:
    """Lets torch compute with the calling thread alone, for as long as it is entered.

    After each parallel call its other threads wait awake for milliseconds, on the cores that the kernels'
    threads want for the next pass: of one stream on two cores that took a fifth of the speed.

    torch keeps a number for the process and a copy for each thread that has computed; a thread's first
    computation takes the process's. So a thread that comes while another is inside may know nothing but the
    one, and each sets back, on its own way out, what the first to enter found: the last leaves it to all.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before = 1

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)

    def __exit__(self, *_error: object) -> None:
        with self._lock:
            self._inside -= 1
            torch.set_num_threads(self._before)

    def check(self) -> None:
        """Nobody left twice."""
        assert self._inside >= 0, f"{self._inside} are inside"


one_torch_thread = OneTorchThread()
"""The only one, of all engines: the number that it sets is the process's."""
