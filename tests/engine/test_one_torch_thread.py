"""torch's threads while engines step side by side, and after them."""

from collections.abc import Iterator
from threading import Event, Thread

import pytest
import torch

from gemma4.engine.one_torch_thread import one_torch_thread

BEFORE = 3


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    found = torch.get_num_threads()
    torch.set_num_threads(BEFORE)
    yield
    torch.set_num_threads(found)


class Stepping:
    """A thread that steps until told to leave; `seen`: torch's threads inside and after."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self._inside, self._leave, self._left = Event(), Event(), Event()
        self._end = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._inside.wait(30)

    def leave(self) -> None:
        self._leave.set()
        assert self._left.wait(30)

    def end(self) -> int:
        """Torch's threads for this thread when all is over."""
        self._end.set()
        self._thread.join(30)
        return self.seen[-1]

    def _run(self) -> None:
        with one_torch_thread:
            self.seen.append(torch.get_num_threads())
            self._inside.set()
            self._leave.wait(30)
        self._left.set()
        self._end.wait(30)
        self.seen.append(torch.get_num_threads())


def count_in_a_new_thread() -> int:
    found: list[int] = []
    thread = Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join(30)
    return found[0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["in order", "the last first"])
def test_two_that_step_side_by_side_leave_what_the_first_found(order: tuple[int, int]) -> None:
    """The second computes for the first time while the first is inside, and knows nothing but the one."""
    both = [Stepping(), Stepping()]
    for place in order:
        both[place].leave()
    assert [one.end() for one in both] == [BEFORE, BEFORE]
    assert [one.seen[0] for one in both] == [1, 1]
    assert (torch.get_num_threads(), count_in_a_new_thread()) == (BEFORE, BEFORE)


def test_an_error_inside_sets_it_back() -> None:
    with pytest.raises(ZeroDivisionError), one_torch_thread:
        torch.get_num_threads() / 0
    assert torch.get_num_threads() == BEFORE
